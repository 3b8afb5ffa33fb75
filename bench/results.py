# SPDX-License-Identifier: BSD-2-Clause
"""What every benchmark's results file has in common: the circumstances, the checks, the
way it is written."""
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
RESULTS = os.path.join(TOP, 'build', 'results')
OPS = {'<=': lambda a, b: a <= b, '>=': lambda a, b: a >= b, '==': lambda a, b: a == b}


def first_line(*command):
    """Of what a command prints; None where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=TOP)
        return done.stdout.split('\n')[0].strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def package(name):
    return first_line('dpkg-query', '-W', '-f', '${Version}', name)


def qemu_version():
    return first_line('qemu-system-x86_64', '--version')


def cpu_model():
    with open('/proc/cpuinfo') as f:
        return next((line.split(':')[1].strip() for line in f if line.startswith('model name')),
                    platform.machine())


def circumstances(name, versions, **machine):
    """Taken before the run: the tree may change during it."""
    return {
        'name': name,
        'machine': {'cpu': cpu_model(), 'cores': os.cpu_count(), 'kernel': platform.release(),
                    'load': os.getloadavg(), **machine},
        'versions': versions,
        'commit': first_line('git', 'rev-parse', 'HEAD'),
        'changed': bool(first_line('git', 'status', '--porcelain')),
        'date': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),
    }


def spread(values):
    return {'min': min(values), 'median': statistics.median(values), 'max': max(values),
            'samples': values}


class Checks:
    """One entry for each target of an issue, named after it."""

    def __init__(self):
        self.list = []

    def add(self, name, value, op, target, unit='', **more):
        self.list.append({'name': name, 'value': value, 'op': op, 'target': target,
                          'unit': unit, 'ok': OPS[op](value, target), **more})

    def missed(self):
        return [c for c in self.list if not c['ok']]

    def report(self, out, all_of_them=False):
        """Prints what was missed, or all; the command's exit status."""
        for c in self.list if all_of_them else self.missed():
            print(f'{"ok" if c["ok"] else "not ok"} - {c["name"]}: {c["value"]} ({c["op"]} '
                  f'{c["target"]})')
        good = len(self.list) - len(self.missed())
        print(f'\n{os.path.relpath(out)}: {good} of {len(self.list)} expectations met')
        return 1 if self.missed() else 0


def write(path, result):
    """All of it or nothing."""
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    with open(path + '.tmp', 'w') as f:
        json.dump(result, f, indent=1)
        f.write('\n')
    os.replace(path + '.tmp', path)


def text(lines):
    """Rows of cells, the first of them the heads, as they are read in a terminal."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print('  '.join(c.ljust(w) for c, w in zip(line, widths)).rstrip())


def markdown(lines):
    print('| ' + ' | '.join(lines[0]) + ' |\n|' + '---|' * len(lines[0]))
    for line in lines[1:]:
        print('| ' + ' | '.join(line) + ' |')


def plot(script):
    """Runs gnuplot; without one there is no plot."""
    if not shutil.which('gnuplot'):
        print('no gnuplot: no plot; scripts/deps.sh bench-table installs it', file=sys.stderr)
        return False
    subprocess.run(['gnuplot'], input=script, text=True, check=True)
    return True
