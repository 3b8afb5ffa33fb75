# SPDX-License-Identifier: BSD-2-Clause
"""Tables and the plot of bench/guest-strategies, from its results alone."""
import results
from results import text
from boots import BLK, LOADS, STRATEGIES, THRASH

OTHERS = ('linux-strict', 'linux-lazy', 'intel-strict', 'intel-lazy', 'intel-passthrough')
COUNTED = LOADS[:4] + BLK
COSTED = ('udp-64', 'udp-1472', 'wait-4k', 'wait-64k')


def short(value):
    return '-' if value is None else f'{value:.4f}'.rstrip('0').rstrip('.')


def counts(s):
    return '/'.join(short(s[k]) for k in ('kicks', 'maps', 'unmaps'))


def _rows(ways):
    return [w for w in STRATEGIES + OTHERS if w in ways]


def counts_table(ways):
    """kicks/MAPs/UNMAPs per DMA; for Intel kicks of the invalidation queue."""
    columns = [c for c in COUNTED if any(c in loads for loads in ways.values())]
    lines = [['kicks/MAP/UNMAP'] + columns]
    for way in _rows(ways):
        if not way.startswith('intel') and way != 'none':
            lines.append([way] + [counts(ways[way][c]) if c in ways[way] else '-'
                                  for c in columns])
    return lines


def reuse_table(ways):
    """How many DMAs are under way at once is seen under single-use, where each has a mapping."""
    lines = [['shared', 'kicks per DMA', 'reused', 'DMAs under way']]
    for load in LOADS[:2]:
        if load not in ways['shared']:
            continue
        lines.append([load, short(ways['shared'][load]['kicks']),
                      short(ways['shared'][load]['reused']),
                      short(ways['single-use'][load]['in_flight'])])
    return lines


def _cost(s):
    i = s['instructions']
    return f'{i["median"]:.0f} ({i["min"]:.0f}-{i["max"]:.0f})'


def cost_table(ways):
    lines = [['instructions'] + list(COSTED)]
    for way in _rows(ways):
        lines.append([way] + [_cost(ways[way][c]) if c in ways[way] else '-' for c in COSTED])
    return lines


def thrash_table(ways):
    lines = [['thrash', 'miss rate', 'kicks per DMA', 'UNMAPs per kick', 'peak pages']]
    for load in THRASH:
        s = ways['persistent'][load]
        lines.append([load, short(1 - s['reused']), short(s['kicks']),
                      short(s['unmaps_per_kick']), str(s['peak_mapped_pages'])])
    return lines


def tables(counts, put=text):
    for where, ways in counts.items():
        print(f'\n{where}\n')
        if 'cap' in where:
            put(thrash_table(ways))
            continue
        put(counts_table(ways))
        if LOADS[0] in ways.get('shared', {}):
            print()
            put(reuse_table(ways))
        if next(iter(next(iter(ways.values())).values()))['instructions']:
            print()
            put(cost_table(ways))


def _panel(script, title, rows, load):
    """Bars with the smallest and the largest as their whiskers."""
    script += [f'set title "{title}"', '$rows << END']
    for number, (name, s) in enumerate(rows):
        i = s[load]['instructions']
        kind = 1 if name in STRATEGIES else 2
        script.append(f'{number} "{name}" {i["median"]} {i["min"]} {i["max"]} {kind}')
    script += ['END', 'plot $rows using 1:3:(0.7):6:xtic(2) with boxes fill solid 0.6 lc variable '
               'notitle, $rows using 1:3:4:5 with yerrorbars lc "black" pt 0 notitle']


def plot(counts, path):
    ways = counts['QEMU, Linux 6.12']
    rows = [(w, ways[w]) for w in _rows(ways)]
    script = ['set terminal svg size 1000,760 font "sans,11"', f'set output "{path}"',
              'set xtics rotate by -40', 'set yrange [0:*]', 'set ylabel "guest instructions"',
              'set multiplot layout 2,2']
    for load, title in (('udp-64', 'a UDP packet of 64 bytes'),
                        ('udp-1472', 'a UDP packet of 1472 bytes'),
                        ('wait-4k', 'a read of 4 KiB'), ('wait-64k', 'a read of 16 x 4 KiB')):
        _panel(script, title, rows, load)
    script.append('unset multiplot')
    if results.plot('\n'.join(script)):
        print(path)
