# SPDX-License-Identifier: BSD-2-Clause
"""Programs of this machine that go into an image."""
import re
import subprocess


def libraries(path):
    """What the dynamic linker would load for a program, itself included; static: nothing."""
    done = subprocess.run(['ldd', path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True)
    return re.findall(r'(?:=> |^\s*)(/\S+) \(0x', done.stdout, re.M)
