# SPDX-License-Identifier: BSD-2-Clause
"""Reads what Debian's xentrace recorded, of a machine with one CPU: what each domain asked of
Xen between two marks of iosup-load."""
import collections
import struct

MARK_BASE, PAGE = 0x710000000000, 4096
MARKS = range(1000, 2000)
# xen/include/public/trace.h
RUNSTATE = 0x21001
TO_RUNNING, RUNSTATE_TO = 0x000, 0x0f0
HYPERCALL, SUBCALL = 0x20100d, 0x20200e
PAGE_FAULT, PTWR, PTWR_PAE = 0x201004, 0x20100b, 0x20100c
BITS64 = 0x100
NAMES = {HYPERCALL: 'hypercalls', SUBCALL: 'subcalls', PTWR: 'ptwr', PTWR_PAE: 'ptwr',
         PAGE_FAULT: 'page_faults'}


def records(data):
    """(event, words) of each record."""
    at = 0
    while at + 4 <= len(data):
        head, = struct.unpack_from('<I', data, at)
        count = head >> 28 & 7
        at += 4 + (8 if head >> 31 else 0)
        if at + 4 * count > len(data):
            return
        yield head & 0xfffffff, struct.unpack_from(f'<{count}I', data, at)
        at += 4 * count


def phases(path):
    """[(mark, domain, counts)] of each stretch from an even MARK to MARK + 1, in their order; the
    counts are of the domain in which the marks were."""
    with open(path, 'rb') as f:
        data = f.read()
    found, domain = [], None
    begun, begun_in, counts = None, None, collections.Counter()
    for event, words in records(data):
        if event & ~0xff0 == RUNSTATE and words:
            if event & RUNSTATE_TO == TO_RUNNING:
                domain = words[0] >> 16
            continue
        kind = event if event in NAMES else event & ~BITS64
        if kind == PAGE_FAULT and event & BITS64 and len(words) >= 4:
            mark = ((words[3] << 32 | words[2]) - MARK_BASE) // PAGE
            if mark in MARKS:
                if begun is not None and not begun % 2 and \
                        (mark, domain) == (begun + 1, begun_in):
                    found.append((begun, domain, dict(counts)))
                begun, begun_in, counts = mark, domain, collections.Counter()
                continue
        if kind in NAMES and domain == begun_in:
            counts[NAMES[kind]] += 1
    return found
