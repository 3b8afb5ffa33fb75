# SPDX-License-Identifier: BSD-2-Clause
"""The results of bench/iosup as tables and a plot."""
import results
from results import text
from boots import STATES
from judge import LOADS


def short(value, digits=2):
    if value is None:
        return ''
    return f'{value:,.{digits}f}'


def _spread(i):
    return '' if not i else (f'{i["median"] / 1000:,.0f} ({i["min"] / 1000:,.0f}-'
                             f'{i["max"] / 1000:,.0f})')


def loads_table(c):
    lines = [['per process', 'state', 'invalidations', 'thousand instructions', 'ptwr',
              'hypercalls', 'calls in multicalls']]
    for load, states in c['loads'].items():
        for state, s in states.items():
            lines.append([load if state == 'stock' else '', state,
                          short(s['invalidations'], 3), _spread(s['instructions']),
                          short(s['ptwr']), short(s['hypercalls'], 1), short(s['subcalls'], 1)])
    return lines


def devices_table(c):
    columns = ('idle', 'stock', 'iosup')
    lines = [['missed, of all DMAs', *columns, 'excess gone']]
    for device, d in c['devices'].items():
        lines.append([device] + [f'{100 * (d[s]["rate"] or 0):.4f} % of {d[s]["dmas"]:,}'
                                 for s in columns]
                     + ['' if d['gone'] is None else f'{100 * d["gone"]:.1f} %'])
    return lines


def web_table(c):
    lines = [['web server beside a disk', 'requests', 'invalidations per request',
              'reads of the disk', 'IOTLB misses', 'reads per miss']]
    for state, w in c['web'].items():
        lines.append([state, str(w['requests']), short(w['invalidations']), f'{w["reads"]:,}',
                      str(w['missed']),
                      'no miss' if w['reads_per_miss'] is None else short(w['reads_per_miss'], 0)])
    return lines


def summary(by_config):
    """Invalidations per process, stock and with iosup, everywhere."""
    loads = [n for n in LOADS if n != 'compile']
    lines = [['invalidations per process'] + loads]
    for config, c in by_config.items():
        cells = []
        for load in loads:
            s = c['loads'][load]
            cells.append(f'{short(s["stock"]["invalidations"])} -> '
                         f'{short(s["iosup"]["invalidations"])}')
        lines.append([config] + cells)
    return lines


def tables(by_config, put=text):
    put(summary(by_config))
    for config, c in by_config.items():
        print(f'\n**{config}**\n')
        for table in (loads_table(c), devices_table(c), web_table(c)):
            if len(table) > 1:
                put(table)
                print()


def _panel(script, title, rows, logarithmic=False):
    """Bars: one group a load, one bar a state; whiskers are the smallest and the largest."""
    script += [f'set title "{title}"', 'set logscale y' if logarithmic else 'unset logscale y',
               '$rows << END']
    for number, (load, states) in enumerate(rows):
        for bar, state in enumerate(s for s in STATES if s in states):
            low, middle, high = states[state]
            script.append(f'{number + (bar - 1.5) * 0.2} {middle} {low} {high} {bar + 1}')
    tics = ', '.join(f'"{load}" {number}' for number, (load, _) in enumerate(rows))
    script += ['END', f'set xtics ({tics}) rotate by -20',
               'plot $rows using 1:2:(0.18):5 with boxes fill solid 0.6 lc variable notitle, '
               '$rows using 1:2:3:4 with yerrorbars lc "black" pt 0 notitle, '
               + ', '.join(f'NaN with boxes fill solid 0.6 lc {n + 1} title "{s}"'
                           for n, s in enumerate(STATES))]


def plot(by_config, path):
    """The main case and the second: what IOTLB and CPU are asked for."""
    script = ['set terminal svg size 1100,800 font "sans,11"', f'set output "{path}"',
              'set yrange [0:*]', 'set key outside above horizontal', 'set multiplot layout 2,2']
    for config in ('domU, Linux 6.1, caching mode off', 'dom0, Linux 6.1, caching mode off'):
        loads = by_config.get(config, {'loads': {}})['loads']
        rows = [(n, loads[n]) for n in LOADS if n in loads]
        if not rows:
            continue
        name = config.split(',', maxsplit=1)[0]
        _panel(script, f'{name}: IOTLB invalidations per process',
               [(n, {s: (x[s]['invalidations'],) * 3 for s in x}) for n, x in rows])
        counted = [(n, x) for n, x in rows if x['stock']['instructions']]
        if not counted:
            continue
        _panel(script, f'{name}: instructions per process, of stock',
               [(n, {s: tuple(x[s]['instructions'][k] / x['stock']['instructions']['median']
                              for k in ('min', 'median', 'max'))
                     for s in x if x[s]['instructions']})
                for n, x in counted])
    script.append('unset multiplot')
    if len(script) > 6 and results.plot('\n'.join(script)):
        print(path)
