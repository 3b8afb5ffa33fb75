# SPDX-License-Identifier: BSD-2-Clause
"""What a packet or a transfer cost each way, and whether that is what the issue asks for."""
import statistics

from results import Checks, spread
from ways import IN_TREE, OFF, PERSISTENT, QEMU, SINGLE_USE

INTERRUPTS = ('interrupt', 'window', 'eoi')
IDLE = ('halt', 'timer')
# Faults in nested paging: what an access to a register that is not mapped is. A kick of the
# virtio-iommu, one for each MAP, is one.
TRAPPED = ('memory',)
# The console's, but for what the marks take of it, and what the guest does now and then.
REST = ('port', 'other')
PAGE = 4096


def _median(values):
    return statistics.median(values)


def summarize(runs):
    """way -> load -> what one packet (of a network load) or transfer (of a disk's) took."""
    result = {}
    for way in dict.fromkeys(r['way'] for r in runs):
        passes = [p for r in runs if r['way'] == way for p in r['passes']]
        result[way] = {load: _load([p for p in passes if p['load'] == load])
                       for load in dict.fromkeys(p['load'] for p in passes)}
    return result


def _kinds(close, marks, units):
    """Of each kind of exit the part of one packet, without what the marks took."""
    return {k: _median([round((p['kinds_of_exit'][k]
                               - _median([m['kinds_of_exit'][k] for m in marks])) / units(p), 4)
                        for p in close]) for k in close[0]['kinds_of_exit']}


def _load(all_passes):
    passes, marks = ([p for p in all_passes if p['work'] == work] for work in (1, 0))
    quiet, close = [p for p in passes if not p['kinds']], [p for p in passes if p['kinds']]
    busy = _median([m['busy'] for m in marks if not m['kinds']])
    exits = _median([m['kvm'].get('exits', 0) for m in marks if not m['kinds']])

    def units(p):
        return p['packets'] or p['messages']

    result = {
        'units': _median([units(p) for p in passes]),
        'marks': {'exits': exits, 'busy': busy},
        'instructions': spread([round((p['busy'] - busy) / units(p), 1) for p in quiet]),
        'exits': spread([round((p['kvm'].get('exits', 0) - exits) / units(p), 4)
                         for p in quiet]),
        'mmio_to_user': max(p['kvm'].get('mmio_exits', 0) for p in passes),
        'locked_mib': max(p['locked_kib'] for p in passes) / 1024,
        'maps': spread([round(p['maps'] / units(p), 4) for p in quiet]),
        'mb_s': spread([round(p['bytes'] / p['ns'] * 1000, 2) for p in quiet]),
    }
    if close:
        result.update(
            kinds=_kinds(close, [m for m in marks if m['kinds']], units),
            trapped=max(p['kinds_of_exit']['memory'] for p in close),
            # Beyond one for each call that the host maps or unmaps with.
            registers=max(max(0, p['kinds_of_exit']['memory'] - p['host_map']
                              - p['host_unmap']) for p in close),
            host_maps=_median([round(p['host_map'] / units(p), 4) for p in close]),
            host_unmaps=_median([round(p['host_unmap'] / units(p), 4) for p in close]),
            beyond=max(abs(p['host_map'] + p['host_unmap'] - p['maps']) for p in close))
    return result


def _compare(checks, ways, load, what):
    """Not more than QEMU's, within the spread: ours at its least is not beyond theirs at its
    most."""
    ours, theirs = ways[OFF][load][what], ways[QEMU][load][what]
    checks.add(f'{load}: {what}, direct-map over QEMU vfio-pci, least over most', ours['min'],
               '<=', theirs['max'], medians=[ours['median'], theirs['median']],
               spread=[ours['max'] - ours['min'], theirs['max'] - theirs['min']])


def _ratio(ways, loads, what, a, b):
    """Of the medians, the median over the loads."""
    return round(_median([ways[a][load][what]['median'] / ways[b][load][what]['median']
                          for load in loads if ways[b][load][what]['median']]), 4)


def _check_pinned(checks, runs):
    for run in runs:
        if not run['stats'] or run['way'] == IN_TREE:
            continue
        name = f'{run["way"]}, round {run["round"]}'
        checks.add(f'{name}: exits for registers of the devices, whole run',
                   sum(d['region_reads'] + d['region_writes'] for d in run['stats']['devices']),
                   '==', 0)
        for number, device in enumerate(run['stats']['devices']):
            checks.add(f'{name}: reset of device {number}', device['reset'], '==',
                       ('bus', 'device')[number])
            pinned = device['peak_pinned_bytes'] // PAGE
            if run['way'].endswith('/off'):
                checks.add(f'{name}: pinned for device {number}', pinned, '==',
                           run['stats']['mem_bytes'] // PAGE, 'pages')
                continue
            guest = run['devices'][('nic', 'disk')[number]]
            peak = guest['peak_mapped_pages'] + guest['coherent_pages']
            checks.add(f'{name}: pinned for device {number} at most', pinned, '<=',
                       round(peak * 1.02, 2), 'pages', mapped=guest['peak_mapped_pages'],
                       coherent=guest['coherent_pages'])


def _check_load(checks, ways, load):
    for way in (OFF, PERSISTENT):
        s = ways[way][load]
        checks.add(f'{load}: {way}: exits for memory that is not mapped, beyond MAP and UNMAP',
                   s['registers'], '==', 0)
    s = ways[PERSISTENT][load]
    checks.add(f'{load}: persistent: MAPs and UNMAPs', s['maps']['median'], '<=', 0.02,
               'per packet', most=s['maps']['max'])
    checks.add(f'{load}: persistent: of them and those of the host what has no other',
               s['beyond'], '==', 0)
    if load in ways.get(SINGLE_USE, {}):
        checks.add(f'{load}: single-use: host maps', ways[SINGLE_USE][load]['host_maps'], '>=',
                   0.1, 'per packet')


def judge(runs, ways, columns):
    """@columns: those that are compared; what is measured once does not tell a spread."""
    checks = Checks()
    loads = list(ways[OFF])
    for load in loads:
        if 'kinds' in ways[OFF][load]:
            _check_load(checks, ways, load)
    for what in columns:
        for load in loads:
            _compare(checks, ways, load, what)
        checks.add(f'{what}: direct-map over QEMU vfio-pci, median over the loads',
                   _ratio(ways, loads, what, OFF, QEMU), '<=', 1.0)
        checks.add(f'{what}: persistent over direct-map, median over the loads',
                   _ratio(ways, loads, what, PERSISTENT, OFF), '<=', 1.02)
    _check_pinned(checks, runs)
    checks.add('complaints of the guests', sum(len(r['complaints']) for r in runs), '==', 0)
    return checks


__all__ = ['IDLE', 'INTERRUPTS', 'REST', 'TRAPPED', 'judge', 'summarize']
