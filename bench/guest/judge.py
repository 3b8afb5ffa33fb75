# SPDX-License-Identifier: BSD-2-Clause
"""What the passes of bench/guest-strategies add up to, and the targets."""
from boots import CAP, LOADS, STRATEGIES, THRASH, TRACED
from results import Checks, spread

SUMS = ('transfers', 'dmas', 'requests', 'kicks', 'maps', 'unmaps', 'reused')
UDP, READS = ('udp-64', 'udp-1472'), ('read-4k', 'read-64k')
# kicks, MAPs and UNMAPs at most, per DMA; of 64 KiB, a list of 16 entries, per list.
NEAR_NONE = (0.002, 0.002, 0)
LIMITS = {
    'single-use': {**dict.fromkeys(UDP + READS[:1], (2.0, 1, 1)), 'read-64k': (2.0, 16, 1)},
    'deferred': {**dict.fromkeys(UDP + READS[:1], (1.02, 1, 1)), 'read-64k': (1.1, 16, 1)},
    'shared': {'read-4k': (2.0, None, None), 'read-64k': (2.0, None, None)},
    'persistent': dict.fromkeys(UDP + READS, NEAR_NONE),
    'bounce': dict.fromkeys(UDP + READS, NEAR_NONE),
    'direct-map': dict.fromkeys(UDP + READS, (0, 0, 0)),
}
MISS_SLACK = 1.05
NONE_SLACK = 1.05
LEAST_BATCH = 32


def per_list(load):
    return load.endswith('-64k')


def _ratio(count, by):
    return round(count / by, 5) if by else None


def summarize(passes):
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
        'instructions': spread([round(p['busy'] / p['transfers'], 1) for p in passes]),
        'traced': traced,
        'counted': total if counted else None,
    }


def summarize_all(runs):
    """{"KERNEL": {way: {load: summary}}}; a run with a cap is apart, as "KERNEL, cap N"."""
    groups = {}
    for run in runs:
        kernel = run['kernel'] + (f', cap {run["cap"]}' if run['cap'] else '')
        for p in run['passes']:
            groups.setdefault((kernel, p['way'], p['load']), []).append(p)
    result = {}
    for (kernel, way, load), passes in groups.items():
        result.setdefault(kernel, {}).setdefault(way, {})[load] = summarize(passes)
    return result


def _check_counts(checks, where, ways):
    for way, loads in LIMITS.items():
        for load, limits in loads.items():
            if load not in ways.get(way, {}):
                continue
            s = ways[way][load]
            for key, limit in zip(('kicks', 'maps', 'unmaps'), limits):
                if limit is not None:
                    checks.add(f'{where}: {way}, {load}: {key} per {s["per"]}', s[key], '<=',
                               limit)


def _check_agreement(checks, runs):
    """The module's counters against the trace."""
    mine = [r for r in runs if r['total']]
    for key in TRACED:
        apart = sum(abs(r['total'][key] - r['traced'][key]) for r in mine)
        checks.add(f'{key}: module and trace apart, over whole boots', apart, '==', 0, key)
        apart = sum(abs(p[key] - p['traced'][key]) for r in mine for p in r['passes'])
        checks.add(f'{key}: module and trace apart, pass by pass', apart, '==', 0, key)
    checks.add('faults', sum(r['total']['faults'] for r in mine), '==', 0)


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


def _check_instructions(checks, by_kernel):
    for kernel, ways in by_kernel.items():
        if 'udp-64' in ways.get('none', {}) and 'persistent' in ways:
            checks.add(f'Linux {kernel}: instructions per packet of 64 bytes, persistent over none',
                       round(instructions(ways, 'persistent', 'udp-64')
                             / instructions(ways, 'none', 'udp-64'), 4), '<=', NONE_SLACK)
    ways = by_kernel.get('6.12', {})
    if 'linux-strict' in ways and 'single-use' in ways:
        for load in LOADS:
            if load in READS:
                continue
            checks.add(f"Linux 6.12: instructions, {load}, single-use over the kernel's strict",
                       round(instructions(ways, 'single-use', load)
                             / instructions(ways, 'linux-strict', load), 4), '<=', 1.0)


def judge(runs, by_kernel):
    checks = Checks()
    for where, ways in by_kernel.items():
        if 'cap' in where:
            _check_thrash(checks, where, ways['persistent'])
        else:
            _check_counts(checks, 'QEMU, Linux ' + where, ways)
    _check_agreement(checks, runs)
    _check_instructions(checks, {k: w for k, w in by_kernel.items() if 'cap' not in k})
    return checks


__all__ = ['STRATEGIES', 'judge', 'per_list', 'summarize_all']
