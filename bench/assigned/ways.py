# SPDX-License-Identifier: BSD-2-Clause
"""What bench/assign compares, and what comes out of the testbed for each of it."""
import json
import os
import subprocess

from results import TOP

SIZES = (64, 1024, 16384, 65536)
NETWORK = ('udp-send', 'udp-recv', 'tcp-send', 'tcp-recv')
DISK = tuple(f'{kind}:{size}' for kind in ('read', 'write') for size in (4096, 65536))
LOADS = tuple(f'{kind}:{size}' for kind in NETWORK for size in SIZES) + DISK
QUICK_LOADS = ('udp-send:64', 'udp-recv:1024', 'read:4096')
NATIVE_OFF, NATIVE, NATIVE_STRICT = 'native-off', 'native', 'native-strict'
OFF, QEMU = 'pviommu/6.1/off', 'qemu/6.1/off'
PERSISTENT, SINGLE_USE = 'pviommu/6.1/persistent', 'pviommu/6.1/single-use'
OFF_612, IN_TREE = 'pviommu/6.12/off', 'pviommu/6.12/in-tree'
WAYS = (NATIVE_OFF, NATIVE, NATIVE_STRICT, OFF, QEMU, PERSISTENT, SINGLE_USE, OFF_612, IN_TREE)
COMPARED = (OFF, QEMU, PERSISTENT)
# What of the loads is held in each run of the tests: these have expectations of their own.
QUICK_WAYS = (OFF, PERSISTENT)
TITLES = {
    NATIVE_OFF: 'native, host IOMMU off', NATIVE: 'native, host IOMMU on (lazy)',
    NATIVE_STRICT: 'native, host IOMMU on (strict)', OFF: 'assigned, direct-map',
    QEMU: 'QEMU 7.2 vfio-pci, direct-map', PERSISTENT: 'assigned, persistent',
    SINGLE_USE: 'assigned, single-use', OFF_612: 'assigned, direct-map (Linux 6.12)',
    IN_TREE: 'assigned, in-tree strict (Linux 6.12)',
}
# The card at the other end of the cable, the disk that answers at once, the card. That is in a
# slot of its own, where it has the reset of its bus: Linux leaves an 82574 receiving when it
# shuts down, into what may then be the memory of the guest that is next, and its own reset, by
# its power state, is one that QEMU's does not heed. (A port of QEMU's that says whether its link
# is up says no for ever after a reset: this one does not say.)
DEVICES = ('e1000e,lan=1,addr=8', 'nvme,media=null,addr=9',
           'pcie-root-port,id=rp,chassis=1,addr=10,x-speed=2_5,x-width=1,x-pcie-lnksta-dllla=off',
           'e1000e,lan=1,bus=rp')
# SVM's exit codes, and the MSRs of the interrupt controller and its timer.
EXITS = {'60': 'interrupt', '64': 'window', '78': 'halt', '7b': 'port', '400': 'memory'}
MSR_EXIT = '7c'
# What L1's clock may show until a way is through: one that counts instructions is slow.
LIMIT, ICOUNT_LIMIT = 400, 100
MSRS = {'80b': 'eoi', '6e0': 'timer', '838': 'timer'}


def in_turn(items, number):
    number %= len(items)
    return items[number:] + items[:number]


def _folder(raw, number, way):
    return os.path.join(raw, f'{number}-{way.replace("/", "-")}')


def run(number, way, loads, passes, icount, timeout, raw):
    """In L1, whose IOMMU is on for all ways but one. What came out, and the status."""
    folder = _folder(raw, number, way)
    words = ['testbed/run', '--where', 'l1', '--timeout', str(timeout), '--results', folder]
    words += ['--icount'] if icount else []
    words += ['--cmdline', 'intel_iommu=off'] if way == NATIVE_OFF else []
    words += ['--with-qemu'] if way == QEMU else []
    for device in DEVICES:
        words += ['--device', device]
    words += ['bench/assigned/scenario.sh', str(number), ','.join(loads),
              str(passes), str(ICOUNT_LIMIT if icount else LIMIT),
              'native' if way == NATIVE_OFF else way]
    status = subprocess.run(words, cwd=TOP).returncode
    try:
        with open(os.path.join(folder, 'status'), 'w') as f:
            f.write(f'{status}\n')
        return read(folder, way), status
    except OSError:
        return [], status or 1


def read(folder, name):
    """One object: its passes, what its VMM and its guest said."""
    ways = []
    with open(os.path.join(folder, 'passes.jsonl')) as f:
        for line in f:
            o = json.loads(line)
            kind = o.pop('type')
            if kind == 'way':
                ways.append({'way': name, 'round': o['round'], 'passes': [],
                             'devices': {}, 'complaints': [], 'stats': None})
            elif kind == 'failed':
                ways.pop()
            elif kind == 'pass':
                _take_pass(ways[-1]['passes'], _pass(o))
            elif kind == 'stats':
                ways[-1]['stats'] = o['stats']
            elif 'device' in o:
                ways[-1]['devices'][o.pop('device')] = o
            elif 'complaint' in o:
                ways[-1]['complaints'].append(o['complaint'])
            elif 'ns' in o:
                ways[-1]['passes'][-1].update(o)
    return ways


def _take_pass(passes, new):
    """Of those that were looked at closely the last one counts."""
    if new['kinds']:
        passes[:] = [p for p in passes if not p['kinds']
                     or (p['load'], p['work']) != (new['load'], new['work'])]
    passes.append(new)


def left(raw):
    """What runs left, and those of them that did not come to their end."""
    runs, failed = [], []
    for number, way in ((n, w) for n in range(100) for w in WAYS):
        folder = _folder(raw, number, way)
        try:
            with open(os.path.join(folder, 'status')) as f:
                status = int(f.read())
            new = read(folder, way)
        except OSError:
            continue
        runs += [] if status else new
        if status:
            failed.append({'round': number, 'way': way, 'status': status})
    return runs, failed


def setup(raw, run):
    with open(os.path.join(_folder(raw, run['round'], run['way']), 'setup.txt')) as f:
        return dict(line.rstrip('\n').split('=', 1) for line in f)


def _pass(o):
    begin, end = o.pop('kvm_begin'), o.pop('kvm_end')
    o['kvm'] = {k: v - begin.get(k, 0) for k, v in end.items() if k != 'pid'}
    o['load'] = o.pop('name')
    if 'exit_reasons' in o:
        o['kinds_of_exit'] = _kinds(o.pop('exit_reasons'), o.pop('msrs'))
        for way in ('host_map', 'host_unmap'):
            o[way] = sum(o[way].values())
    return o


def _kinds(reasons, msrs):
    """Exits by what makes them. Of accesses to MSRs the kernel tells which."""
    kinds = dict.fromkeys(('interrupt', 'window', 'eoi', 'halt', 'timer', 'port', 'memory',
                           'other'), 0)
    for code, n in reasons.items():
        if code != MSR_EXIT:
            kinds[EXITS.get(code, 'other')] += n
    for msr, n in msrs.items():
        kinds[MSRS.get(msr, 'other')] += n
    # Some MSR accesses are not traced.
    kinds['other'] += max(0, reasons.get(MSR_EXIT, 0) - sum(msrs.values()))
    return kinds
