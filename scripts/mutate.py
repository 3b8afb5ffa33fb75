#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""scripts/mutate.py - does a test fail when a check of the request path is turned?

For each condition in the functions that handle ATTACH, DETACH, MAP, UNMAP and PROBE, and
for each part of one that && or || joins, lib/request.c is built with that part always true,
and always false, and the unit tests of the library run. A mutant that no test kills is
printed, and the exit status is 1."""
import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
SOURCE = 'lib/request.c'
FUNCTIONS = ['all_zero', 'touches_reserved', 'incompatible', 'attach_to', 'attach', 'detach',
             'reserved_in_domain', 'check_map', 'map', 'unmap', 'probe', 'place_tail',
             'pvi_request_handle']
TESTS = ['request', 'request_any', 'mmio', 'stuck', 'backend', 'iommu']
# What the quick form tries: the checks that other devices lack (docs/conformance.md).
QUICK = ['all_zero(r->out + FIELD(attach', 'flags & ~known', 'if (!ep)', 'iommu->page_mask',
         'pvi_range_contains(input, virt)', 'reserved_in_domain(d, virt)', 'd->bypass',
         'r->in_len < PVI_REPLY_MAX']

def function_spans(text):
    for name in FUNCTIONS:
        match = re.search(rf'^[a-z].*\b{name}\([^;]*?\)\n{{', text, re.M | re.S)
        if not match:
            sys.exit(f'mutate.py: no function {name} in {SOURCE}: update FUNCTIONS')
        yield match.end(), text.index('\n}\n', match.end())


def closing(text, start):
    depth = 0
    for i in range(start, len(text)):
        depth += {'(': 1, ')': -1}.get(text[i], 0)
        if not depth:
            return i
    raise ValueError


def parts(text, begin, end):
    """The whole condition, and what && and || join at its top level."""
    yield begin, end
    cuts, depth, i = [begin], 0, begin
    while i < end:
        depth += {'(': 1, ')': -1}.get(text[i], 0)
        if not depth and text[i:i + 2] in ('&&', '||'):
            cuts += [i, i + 2]
        i += 1
    cuts.append(end)
    if len(cuts) > 2:
        for a, b in zip(cuts[::2], cuts[1::2]):
            inner = text[a:b].strip()
            a = text.index(inner, a)
            yield a, a + len(inner)
            # One level into parentheses.
            if inner.startswith('(') and closing(inner, 0) == len(inner) - 1:
                yield from list(parts(text, a + 1, a + len(inner) - 1))[1:]


def mutants(text):
    seen = set()
    for begin, end in function_spans(text):
        for match in re.finditer(r'\bif (\()', text[begin:end]):
            start = begin + match.start(1)
            for a, b in parts(text, start + 1, closing(text, start)):
                for value in '01':
                    if (a, b, value) not in seen:
                        seen.add((a, b, value))
                        yield a, b, value


class Bench:
    """A directory with everything built but lib/request.c."""

    def __init__(self, work):
        self.work = work
        self.flags = ['-std=gnu17', '-D_GNU_SOURCE', '-O1', '-g', '-w', '-I.', '-Iinclude',
                      '-Itests/unit']
        self.objects = {}
        sources = [f'core/{n}.c' for n in ('alloc', 'gate', 'table', 'table_edit', 'table_walk',
                                           'virtio_pci', 'virtqueue')]
        sources += [f'lib/{n}' for n in os.listdir('lib')
                    if n.endswith('.c') and n != 'request.c']
        fakes = [f'tests/unit/fake_{n}.c' for n in ('host', 'driver', 'backend')]
        tests = [f'tests/unit/test_{n}.c' for n in TESTS]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for source, obj in pool.map(self.compile, sources + fakes + tests):
                self.objects[source] = obj
        self.library = os.path.join(work, 'rest.a')
        subprocess.run(['ar', 'rcs', self.library] +
                       [self.objects[s] for s in sources + fakes], check=True)

    def compile(self, source):
        obj = os.path.join(self.work, source.replace('/', '_') + '.o')
        subprocess.run(['gcc', *self.flags, '-c', source, '-o', obj], check=True)
        return source, obj

    def killer(self, text, name):
        """The test that fails with this lib/request.c; None: none does."""
        source = os.path.join(self.work, name + '.c')
        with open(source, 'w') as f:
            f.write(text)
        for test in TESTS:
            program = os.path.join(self.work, f'{name}-{test}')
            subprocess.run(['gcc', *self.flags, source, self.objects[f'tests/unit/test_{test}.c'],
                            self.library, '-lcmocka', '-lpthread', '-o', program], check=True)
            try:
                done = subprocess.run([program], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL, timeout=20)
                failed = done.returncode
            except subprocess.TimeoutExpired:
                failed = True
            os.unlink(program)
            if failed:
                return test
        return None


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--quick', action='store_true', help='a named few, for make check')
    a = p.parse_args()
    os.chdir(TOP)
    with open(SOURCE) as f:
        text = f.read()
    chosen = [m for m in mutants(text)
              if not a.quick or (m[2] == '0' and
                                 any(q in text[m[0]:m[1]] or q in 'if (' + text[m[0]:m[1]] + ')'
                                     for q in QUICK))]
    work = tempfile.mkdtemp()
    alive = 0
    try:
        bench = Bench(work)
        if bench.killer(text, 'whole'):
            sys.exit('mutate.py: the tests fail without any mutation')

        def judge(item):
            number, (begin, end, value) = item
            return bench.killer(text[:begin] + value + text[end:], f'm{number}')

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for (begin, end, value), killer in zip(chosen, pool.map(judge, enumerate(chosen))):
                line = text.count('\n', 0, begin) + 1
                what = f'{SOURCE}:{line}: {" ".join(text[begin:end].split())} -> {value}'
                if not killer:
                    alive += 1
                    print(f'not ok - {what}: no test fails', flush=True)
                else:
                    print(f'ok - {what}: {killer}', flush=True)
    finally:
        shutil.rmtree(work)
    print(f'{len(chosen)} mutants, {alive} alive')
    return 1 if alive else 0


sys.exit(main())
