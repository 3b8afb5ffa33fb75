# SPDX-License-Identifier: BSD-2-Clause
"""What the passes of bench/guest-strategies add up to, and the targets."""
from boots import BLK, CAP, LOADS, STRATEGIES, THRASH, TRACED
from results import Checks, spread

SUMS = ('transfers', 'dmas', 'requests', 'kicks', 'maps', 'unmaps', 'reused')
UDP, READS = ('udp-64', 'udp-1472'), ('read-4k', 'read-64k')
ONE_BY_ONE = UDP + READS[:1] + BLK
# kicks, MAPs and UNMAPs at most, per DMA; of 64 KiB, a list of 16 entries, per list. (A virtio
# driver hands over no list: it maps each entry, the request's header and its status.)
NEAR_NONE = (0.002, 0.002, 0)
LIMITS = {
    'single-use': {**dict.fromkeys(ONE_BY_ONE, (2.0, 1, 1)), 'read-64k': (2.0, 16, 1)},
    'deferred': {**dict.fromkeys(ONE_BY_ONE, (1.02, 1, 1)), 'read-64k': (1.1, 16, 1)},
    'shared': dict.fromkeys(READS + BLK, (2.0, None, None)),
    'persistent': dict.fromkeys(UDP + READS + BLK, NEAR_NONE),
    'bounce': dict.fromkeys(UDP + READS + BLK, NEAR_NONE),
    'direct-map': dict.fromkeys(UDP + READS + BLK, (0, 0, 0)),
}
MISS_SLACK = 1.05
NONE_SLACK = 1.05
LEAST_BATCH = 32


def per_list(load):
    return load in ('read-64k', 'wait-64k')


def _ratio(count, by):
    return round(count / by, 5) if by else None


def summarize(passes, instructions):
    """All passes of one way of driving the IOMMU under one load. Where the module counts, its
    counters; else what the trace says, per transfer."""
    total = {k: sum(p.get(k, 0) for p in passes) for k in SUMS}
    traced = {k: sum(p['traced'][k] for p in passes)
              for k in TRACED + ('invalidations', 'unmap_kicks')}
    counted = 'dmas' in passes[0] and total['dmas'] > 0
    source = total if counted else traced
    lists = per_list(passes[0]['load'])
    by = total['transfers'] if lists or not counted else total['dmas']
    depths = [p['traced']['depth'] for p in passes if p['traced']['depth'] is not None]
    return {
        'per': 'list' if lists else 'DMA' if counted else 'transfer',
        'of': by,
        'kicks': _ratio(source['kicks'], by),
        'maps': _ratio(source['maps'], by),
        'unmaps': _ratio(source['unmaps'], by),
        'invalidations': _ratio(traced['invalidations'], by),
        'reused': _ratio(total['reused'], total['dmas']) if counted else None,
        'unmaps_per_kick': _ratio(traced['unmaps'], traced['unmap_kicks']),
        'in_flight': round(sum(depths) / len(depths), 1) if depths else None,
        'peak_mapped_pages': max((p.get('peak_mapped_pages', 0) for p in passes), default=0),
        'instructions': spread([round(p['busy'] / p['transfers'], 1) for p in passes])
        if instructions else None,
        'traced': traced,
        'counted': total if counted else None,
    }


def summarize_all(runs):
    """{where: {way: {load: summary}}}, where being the VMM, the kernel and so on."""
    groups = {}
    for run in runs:
        for p in run['passes']:
            group = groups.setdefault((run['where'], p['way'], p['load']),
                                      (run['instructions'], []))
            group[1].append(p)
    result = {}
    for (where, way, load), (instructions, passes) in groups.items():
        result.setdefault(where, {}).setdefault(way, {})[load] = summarize(passes, instructions)
    return result


def _check_counts(checks, where, ways, real_time):
    """On real time a DMA can take longer than deferred waits: how many kicks it makes then
    says how slow the machine is."""
    for way, loads in LIMITS.items():
        for load, limits in loads.items():
            if load not in ways.get(way, {}):
                continue
            s = ways[way][load]
            for key, limit in zip(('kicks', 'maps', 'unmaps'), limits):
                if limit is not None and not (real_time and way == 'deferred' and key == 'kicks'):
                    checks.add(f'{where}: {way}, {load}: {key} per {s["per"]}', s[key], '<=',
                               limit)


def _check_agreement(checks, runs):
    """The module's counters against QEMU's trace, and against the VMM's own."""
    for vmm in sorted({r['vmm'] for r in runs}):
        mine = [r for r in runs if r['total'] and r['vmm'] == vmm]
        for key in TRACED:
            apart = sum(abs(r['total'][key] - r['traced'][key]) for r in mine)
            checks.add(f'{key}: module and {vmm} apart, over whole boots', apart, '==', 0, key)
            apart = sum(abs(p[key] + p.get('other_' + key, 0) - p['traced'][key])
                        for r in mine for p in r['passes'])
            checks.add(f'{key}: module and {vmm} apart, pass by pass', apart, '==', 0, key)
        checks.add(f'{vmm}: faults', sum(r['total']['faults'] for r in mine), '==', 0)


def _check_thrash(checks, where, loads):
    for load in THRASH:
        s = loads[load]
        misses = 1 - s['reused']
        checks.add(f'{where}: {load}: kicks per DMA, over the miss rate of {misses:.3f}',
                   round(s['kicks'] / misses, 4), '<=', MISS_SLACK)
        checks.add(f'{where}: {load}: evictions in a batch', s['unmaps_per_kick'], '>=',
                   LEAST_BATCH, 'UNMAPs per kick that has any')
        checks.add(f'{where}: {load}: pages mapped at the peak', s['peak_mapped_pages'], '<=',
                   CAP, 'pages')


def instructions(ways, way, load):
    return ways[way][load]['instructions']['median']


def _check_instructions(checks, counts):
    for where, ways in counts.items():
        if 'udp-64' in ways.get('none', {}) and ways['none']['udp-64']['instructions']:
            checks.add(f'{where}: instructions per packet of 64 bytes, persistent over none',
                       round(instructions(ways, 'persistent', 'udp-64')
                             / instructions(ways, 'none', 'udp-64'), 4), '<=', NONE_SLACK)
    for where, ways in counts.items():
        if 'linux-strict' not in ways or 'single-use' not in ways:
            continue
        for load in LOADS:
            if load in READS:
                continue
            checks.add(f"{where}: instructions, {load}, single-use over the kernel's strict",
                       round(instructions(ways, 'single-use', load)
                             / instructions(ways, 'linux-strict', load), 4), '<=', 1.0)


def judge(runs, counts):
    checks = Checks()
    for where, ways in counts.items():
        if 'cap' in where:
            _check_thrash(checks, where, ways['persistent'])
        else:
            _check_counts(checks, where, ways,
                          any(r['real_time'] for r in runs if r['where'] == where))
    _check_agreement(checks, runs)
    _check_instructions(checks, counts)
    return checks


__all__ = ['STRATEGIES', 'judge', 'per_list', 'summarize_all']
