# SPDX-License-Identifier: BSD-2-Clause
"""Tables and plots of bench/assign, from its results alone."""
import results
from results import text
from judge import IDLE, INTERRUPTS, REST, TRAPPED
from ways import DISK, NATIVE, NATIVE_OFF, NETWORK, PERSISTENT, SIZES, SINGLE_USE, TITLES, WAYS


def _num(value):
    return f'{value:.3f}'.rstrip('0').rstrip('.') if value < 100 else f'{value:.0f}'


def _spread(s):
    return f'{_num(s["median"])} ({_num(s["min"])}-{_num(s["max"])})'


def load_table(ways, load, icount):
    head = [load, 'exits', 'of interrupts', 'idle and timer', 'unmapped memory', 'rest', 'host maps',
            'unmaps', "the guest's own"]
    head += ['instructions', 'MB/s'] if icount else ['MB/s']
    lines = [head]
    for way in WAYS:
        s = ways.get(way, {}).get(load)
        if not s:
            continue
        guest = '/' in way
        told = s.get('kinds')
        kinds = [_num(max(0, sum(told[k] for k in group))) if guest and told else '-'
                 for group in (INTERRUPTS, IDLE, TRAPPED, REST)]
        line = [TITLES[way], _spread(s['exits']) if guest else '-'] + kinds
        line += [_num(s[k]) if told else '-' for k in ('host_maps', 'host_unmaps')]
        line += [_num(s['maps']['median']) if way in (PERSISTENT, SINGLE_USE) else '-']
        line += [_spread(s['instructions'])] if icount else []
        # A clock that counts instructions runs away while a disk is waited for.
        lines.append(line + ['-' if icount and load in DISK else _spread(s['mb_s'])])
    return lines


def pinned_table(runs):
    lines = [['locked memory, MiB', 'most']]
    for way in WAYS:
        most = [p['locked_kib'] / 1024 for r in runs if r['way'] == way for p in r['passes']]
        if most and '/' in way:
            lines.append([TITLES[way], _num(max(most))])
    return lines


def tables(result, put=text, loads=None):
    ways = result['ways']
    for load in loads or next(iter(ways.values())):
        print()
        put(load_table(ways, load, result['icount']))
    print()
    put(pinned_table(result['runs']))


def _panel(script, number, ways, base, kind, what, invert):
    """One line a way over the message sizes, in proportion to native."""
    script.append(f'set title "{kind}"')
    plots = []
    for way in WAYS:
        loads = [f'{kind}:{size}' for size in SIZES]
        if way == base or any(load not in ways.get(way, {}) for load in loads):
            continue
        script.append(f'$p{number}_{len(plots)} << END')
        for size, load in zip(SIZES, loads):
            a, b = ways[way][load][what]['median'], ways[base][load][what]['median']
            script.append(f'{size} {b / a if invert else a / b}')
        script.append('END')
        plots.append(f'$p{number}_{len(plots)} using 1:2 with linespoints title "{TITLES[way]}"')
    script.append('plot ' + ', '.join(plots) if plots else 'clear')


def plot(ways, what, label, path):
    """Native without an IOMMU is 1, as in the paper."""
    base = NATIVE_OFF if NATIVE_OFF in ways else NATIVE
    script = ['set terminal svg size 1000,820 font "sans,11"', f'set output "{path}"',
              'set logscale x 2', 'set yrange [0:*]', f'set ylabel "{label}, native = 1"',
              'set xlabel "bytes of a message"', 'set key bottom left font ",8"',
              'set multiplot layout 2,2']
    for number, kind in enumerate(NETWORK):
        _panel(script, number, ways, base, kind, what, False)
    script.append('unset multiplot')
    if results.plot('\n'.join(script)):
        print(path)


__all__ = ['DISK', 'markdown', 'plot', 'tables']
