# SPDX-License-Identifier: BSD-2-Clause
"""The machines that bench/iosup boots, and the samples that come out of each."""
import os
import re
import subprocess
import sys

import xentrace
from results import TOP

sys.path.insert(0, os.path.join(TOP, 'testbed'))
from pvtestbed import trace  # noqa: E402

HERE = os.path.dirname(os.path.realpath(__file__))
FOLDER = os.path.join(TOP, 'build', 'bench', 'iosup')
STATES = ('stock', 'iosup', 'pool-only', 'off')
DEVICES = {'nvme': 0x40, 'e1000e': 0x48, 'virtio-net': 0x50}
# Each card's wire has one end more, which takes all and says nothing.
SPECS = ('nvme,addr=8,media=null', 'e1000e,addr=9,lan=1', 'rtl8139,addr=b,lan=1',
         'virtio-net-pci,iommu_platform=on,disable-legacy=on,addr=a,lan=2',
         'rtl8139,addr=c,lan=2')
TRACED = ('vtd_inv_desc_iotlb*', 'vtd_iotlb_page_hit', 'vtd_iotlb_page_update', 'pci_nvme_read')
SECONDS = 1500


def rotated(turn):
    """All states, another one first at each turn; each is somewhere behind a warm-up."""
    return STATES[turn:] + STATES[:turn]


class Boot:
    """One machine. where: "dom0" with dom0-iommu=strict, or "domU" under Xen's defaults, which
    is booted once for each turn."""

    def __init__(self, where, kernel, caching_mode, kind, *turns):
        self.where, self.kernel, self.caching_mode = where, kernel, caching_mode
        self.kind, self.turns = kind, turns

    def name(self):
        return (f'{self.where}, Linux {self.kernel}, caching mode {self.caching_mode}, '
                f'{self.kind}, order {"+".join(str(t) for t in self.turns)}')

    def folder(self):
        return os.path.join(FOLDER, re.sub(r'[^A-Za-z0-9.+]+', '-', self.name()))

    def states(self, turn):
        """Of pool-only, which is there to compare, only what Xen's trace counts is of interest."""
        return [s for s in rotated(turn) if s != 'pool-only' or self.kind == 'traced']

    def guests(self):
        """How many kernels it boots, dom0's among them."""
        return 1 + (len(self.turns) if self.where == 'domU' else 0)

    def command(self, disk, results):
        dom0 = self.where == 'dom0'
        words = [os.path.join(TOP, 'testbed', 'run'), '--no-build', '--machine', 'xen',
                 '--icount', '--caching-mode', self.caching_mode, '--extra', disk,
                 '--kernel', self.kernel if dom0 else '6.1', '--timeout', str(SECONDS),
                 '--results', results]
        words += ['--xen-args', 'dom0-iommu=strict'] if dom0 else []
        for spec in SPECS:
            words += ['--device', spec]
        for event in TRACED:
            words += ['--trace', event]
        return words + [os.path.join(HERE, 'scenario.sh'), self.where.lower(), self.kernel,
                        self.kind] + [','.join(self.states(t)) for t in self.turns]


def _numbers(line):
    return {k: int(v) if re.fullmatch(r'-?\d+', v) else v
            for k, v in re.findall(r'(\w+)=(\S+)', line)}


def _said(text):
    """The phases in their order, each with its state and boot, and the module's counters."""
    phases, counters, states, order = [], [], {}, None
    for line in text.split('\n'):
        found = re.search(r'(BOOT|STATE|PHASE|COUNTER) (\w+=.*)', line)
        if not found:
            continue
        numbers = _numbers(found.group(2))
        if found.group(1) == 'BOOT':
            order, states = numbers['order'], {}
        elif found.group(1) == 'STATE':
            states[numbers['mark']] = numbers['state']
        elif found.group(1) == 'PHASE':
            phases.append({**numbers, 'order': order, 'state': states[numbers['mark']]})
        else:
            counters.append({**numbers, 'order': order})
    return phases, counters


class Mismatch(Exception):
    pass


def _pairs(what, phases, seen, mark_of):
    """The stretches of a trace that belong to the phases, which have the same order."""
    if [mark_of(s) for s in seen] != [p['mark'] for p in phases]:
        raise Mismatch(f'{what}: its marks are not those of the phases')
    return zip(phases, seen)


def _merge(boot, phases, folder):
    """Beside what a phase says of itself, what QEMU's trace has of it, and Xen's."""
    seen = [s for s in trace.phases(os.path.join(folder, 'trace.log'))
            if s.begin in trace.DISK_MARKS and s.end == s.begin + 1 and s.begin % 2 == 0]
    # Of a domU the devices' domain is the one that its stock processes flush.
    flushed = {}
    for phase, stretch in _pairs('trace.log', phases, seen, lambda s: s.begin):
        if phase['name'] == 'fork' and phase['state'] == 'stock':
            inside = {d: n for d, n in stretch.invalidations.items()
                      if boot.where == 'dom0' or d}
            flushed[phase['order']] = max(inside, key=inside.get)
    for phase, stretch in zip(phases, seen):
        phase['invalidations'] = stretch.of_domain(flushed[phase['order']])
        phase['reads'] = stretch.events['pci_nvme_read']
        # The first lookup of a page is a miss whatever was invalidated: not one of "missed".
        dmas = {name: {'hit': stretch.lookups[sid, 'hit'], 'missed': stretch.lookups[sid, 'again'],
                       'first': stretch.lookups[sid, 'first']} for name, sid in DEVICES.items()}
        phase['dmas'] = {name: d for name, d in dmas.items() if any(d.values())}
    if boot.kind == 'traced':
        asked = xentrace.phases(os.path.join(folder, 'xentrace'))
        for phase, (_, _, counts) in _pairs('xentrace', phases, asked, lambda s: s[0]):
            phase['asked'] = counts


def run(boot, disk):
    """Boots; returns the boot's samples, or None when it failed and said why in its log."""
    folder = boot.folder()
    os.makedirs(folder, exist_ok=True)
    log = os.path.join(folder, 'log')
    with open(log, 'w') as out:
        done = subprocess.run(boot.command(disk, folder), stdout=out, stderr=subprocess.STDOUT)
    with open(log, errors='replace') as f:
        phases, counters = _said(f.read())
    if done.returncode or not phases:
        return None
    _merge(boot, phases, folder)
    for name in ('trace.log', 'xentrace'):
        if os.path.exists(os.path.join(folder, name)):
            os.unlink(os.path.join(folder, name))
    return {'name': boot.name(), 'where': boot.where, 'kernel': boot.kernel,
            'caching_mode': boot.caching_mode, 'kind': boot.kind, 'guests': boot.guests(),
            'phases': phases, 'counters': counters}
