#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""emulator.py CONSOLE: did the emulator fail there, not the guest? Then its status is 0.

Two failures of QEMU 7.2's TCG with two CPUs, both rare:
- it takes a pointer for the flags of the CPU, of which all above bit 21 are 0;
- it goes on to run a breakpoint that the guest had in its code for a moment, as Linux has when it
  switches a branch: the guest is told of a breakpoint where, as it says, there is another
  instruction by then."""
import re
import sys

BREAKPOINT = 'cc'


def impossible_flags(text):
    return any(int(flags, 16) >> 22 for flags in re.findall(r' EFLAGS: 0*([0-9a-f]+)$', text, re.M))


def breakpoint_of_the_past(text):
    """In the bytes around the next instruction, <xx>, the one before it is what was run."""
    code = re.search(r'\bint3: .*?Code: [^\n]*?([0-9a-f]{2}) <[0-9a-f]{2}>', text, re.S)
    return bool(code) and code.group(1) != BREAKPOINT


def failed(text):
    return impossible_flags(text) or breakpoint_of_the_past(text)


if __name__ == '__main__':
    with open(sys.argv[1], errors='replace') as console:
        sys.exit(0 if failed(console.read().replace('\r', '')) else 1)
