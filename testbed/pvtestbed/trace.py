# SPDX-License-Identifier: BSD-2-Clause
"""Reads the trace of testbed/run --trace: what happened between two marks."""
import collections
import re

MARK = re.compile(r'virtio_console_flush_buf port 4, in_len (\d+)')
# A read of a disk as a mark, where there is no such port: procs -d /dev/nvme0n1.
DISK_MARK = re.compile(r'pci_nvme_read .*nlb 8 .*lba 0x([0-9a-f]+)')
DISK_MARKS = range(1000, 2000)
LOOKUP = re.compile(r'vtd_iotlb_page_(hit|update) .*?sid 0x([0-9a-f]+) iova 0x([0-9a-f]+)'
                    r'.*?domain 0x([0-9a-f]+)')
PAGE_DIGITS = 3
INVALIDATION = re.compile(r'vtd_inv_desc_iotlb_(\w+) .*?domain 0x([0-9a-f]+)')


class Phase:
    """From one mark to the next: invalidations of each domain, lines of each event, and the
    addresses that each device (its source id) looked up in the IOTLB: "hit", "again" for those
    that were not there any more, "first" for pages that the device had not looked up before."""

    def __init__(self, begin):
        self.begin, self.end = begin, None
        self.invalidations = collections.Counter()
        self.events = collections.Counter()
        self.lookups = collections.Counter()

    def of_domain(self, domain=None):
        return sum(n for d, n in self.invalidations.items() if domain is None or d == domain)


def mark_of(line):
    found = MARK.search(line)
    if found:
        return int(found.group(1))
    found = DISK_MARK.search(line)
    if found:
        lba = int(found.group(1), 16)
        if lba % 8 == 0 and lba // 8 in DISK_MARKS:
            return lba // 8
    return None


def phases(path):
    """All phases of a trace file in their order; the first begins without a mark."""
    found = [Phase(None)]
    seen = set()
    with open(path, errors='replace') as f:
        for line in f:
            mark = mark_of(line)
            if mark is not None:
                found[-1].end = mark
                found.append(Phase(mark))
                continue
            name = line.split(' ', 1)[0].split(':')[-1]
            found[-1].events[name] += 1
            lookup = LOOKUP.search(line)
            if lookup:
                what, sid, address, domain = lookup.groups()
                page = sid, domain, address[:-PAGE_DIGITS]
                if what == 'update':
                    what = 'again' if page in seen else 'first'
                seen.add(page)
                found[-1].lookups[int(sid, 16), what] += 1
                continue
            flush = INVALIDATION.search(line)
            if flush:
                found[-1].invalidations[int(flush.group(2), 16)] += 1
    return found


def between(path, begin):
    """The phase that procs -m BEGIN makes."""
    for phase in phases(path):
        if (phase.begin, phase.end) == (begin, begin + 1):
            return phase
    raise ValueError(f'{path}: no phase from mark {begin} to {begin + 1}')
