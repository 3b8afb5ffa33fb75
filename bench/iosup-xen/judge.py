# SPDX-License-Identifier: BSD-2-Clause
"""What the samples of bench/iosup add up to, and the targets."""
from boots import DEVICES, STATES
from results import Checks, spread

PROCESSES = ('fork', 'exec-static', 'exec-dynamic')
LOADS = PROCESSES + ('shell', 'compile', 'web')
DISK = 'web-and-disk'
MOST_INVALIDATIONS = 0.05
LEAST_GONE = 0.95


def config_of(boot):
    return f'{boot["where"]}, Linux {boot["kernel"]}, caching mode {boot["caching_mode"]}'


def _ratio(n, by, digits=4):
    return round(n / by, digits) if by else None


def _load(samples):
    """Of one load in one state: per process, over all boots and passes."""
    plain = [p for p in samples if 'asked' not in p]
    asked = [p for p in samples if 'asked' in p]
    processes = sum(p['processes'] for p in samples)
    result = {
        'samples': len(samples), 'processes': processes,
        'invalidations': _ratio(sum(p['invalidations'] for p in samples), processes),
        # What Xen's trace costs is not the load's.
        'instructions': spread([round(p['busy'] / p['processes']) for p in plain])
        if plain else None,
    }
    for what in ('ptwr', 'hypercalls', 'subcalls', 'page_faults'):
        result[what] = _ratio(sum(p['asked'].get(what, 0) for p in asked),
                              sum(p['processes'] for p in asked)) if asked else None
    return result


def _lookups(samples, device):
    n = {k: sum(p['dmas'].get(device, {}).get(k, 0) for p in samples)
         for k in ('hit', 'missed', 'first')}
    dmas = sum(n.values())
    return {'dmas': dmas, 'missed': n['missed'], 'first': n['first'],
            'rate': _ratio(n['missed'], dmas, 7)}


def _devices(by_state):
    """{device: {"idle" | state: lookups, "excess": {state: rate over the idle one's}, "gone":
    share of stock's that iosup takes away, if it has any}}"""
    result = {}
    for device in DEVICES:
        idle = [_lookups([p], device) for loads in by_state.values()
                for p in loads.get(device + '-idle', [])]
        if not idle:
            continue
        # What the others have more is no process's either.
        d = result[device] = {'idle': min(idle, key=lambda i: i['rate'])}
        for state, loads in by_state.items():
            if device + '-beside' in loads:
                d[state] = _lookups(loads[device + '-beside'], device)
        excess = {s: max(0, (d[s]['rate'] or 0) - d['idle']['rate'])
                  for s in ('stock', 'iosup')}
        d['excess'] = {s: round(e, 9) for s, e in excess.items()}
        d['gone'] = round(1 - excess['iosup'] / excess['stock'], 4) if excess['stock'] > 0 \
            else None
    return result


def _web(samples):
    requests = sum(p['count'] for p in samples)
    looked = _lookups(samples, 'nvme')
    return {'requests': requests, 'reads': sum(p['reads'] for p in samples), **looked,
            'invalidations': _ratio(sum(p['invalidations'] for p in samples), requests),
            'reads_per_miss': _ratio(sum(p['reads'] for p in samples), looked['missed'], 1)}


def _stock_writes(runs):
    """{(where, kernel, load): the most writes per process of the boots' stock and off samples}:
    what two runs of the same differ by; the IOMMU's caching mode has no part in them."""
    most = {}
    for boot in runs:
        for p in boot['phases']:
            if 'asked' in p and p['state'] in ('stock', 'off'):
                key = boot['where'], boot['kernel'], p['name']
                most[key] = max(most.get(key, 0),
                                _ratio(p['asked'].get('ptwr', 0), p['processes']))
    return most


def summarize(runs):
    """{config: {"loads": {load: {state: ...}}, "devices": ..., "web": {state: ...}}}"""
    grouped, writes, kind = {}, _stock_writes(runs), {}
    for boot in runs:
        kind[config_of(boot)] = boot['where'], boot['kernel']
        by_state = grouped.setdefault(config_of(boot), {s: {} for s in STATES})
        for p in boot['phases']:
            by_state[p['state']].setdefault(p['name'], []).append(p)
    result = {}
    for config, by_state in grouped.items():
        result[config] = {
            'most_stock_ptwr': {load: writes[(*kind[config], load)] for load in LOADS
                                if (*kind[config], load) in writes},
            'loads': {load: {s: _load(by_state[s][load]) for s in STATES
                             if load in by_state[s]}
                      for load in LOADS if load in by_state['stock']},
            'devices': _devices(by_state),
            'web': {s: _web(by_state[s][DISK]) for s in STATES if DISK in by_state[s]},
        }
    return result


def _judge_load(checks, where, states, most_writes):
    stock, ours = states['stock'], states['iosup']
    checks.add(f'{where}: invalidations per process', ours['invalidations'], '<=',
               MOST_INVALIDATIONS, 'invalidations')
    # Otherwise the figure above would be one of a warm-up.
    if 'off' in states:
        checks.add(f'{where}: off again: invalidations per process',
                   states['off']['invalidations'], '>=',
                   round(0.9 * stock['invalidations'], 4), 'invalidations', control=True)
    if ours['ptwr'] is not None:
        checks.add(f'{where}: trapped page-table writes per process; target: the most of stock',
                   ours['ptwr'], '<=', most_writes, 'writes')
    if stock['instructions']:
        checks.add(f'{where}: instructions per process, median; target: the most of stock',
                   ours['instructions']['median'], '<=', stock['instructions']['max'],
                   'instructions')


def judge(by_config, lost):
    checks = Checks()
    checks.add('machines without samples', len(lost), '==', 0, 'machines')
    for config, c in by_config.items():
        for load, states in c['loads'].items():
            _judge_load(checks, f'{config}: {load}', states, c['most_stock_ptwr'].get(load))
        for device, d in c['devices'].items():
            checks.add(f'{config}: {device}: IOTLB misses of all DMAs beside processes, over an '
                       f'idle run; target: {1 - LEAST_GONE:.0%} of what stock has over it',
                       d['excess']['iosup'], '<=',
                       round((1 - LEAST_GONE) * d['excess']['stock'], 9))
        if c['web']:
            checks.add(f'{config}: web server beside a disk: invalidations per request',
                       c['web']['iosup']['invalidations'], '<=', MOST_INVALIDATIONS,
                       'invalidations')
    return checks
