# SPDX-License-Identifier: BSD-2-Clause
"""Kernel modules: from names to files, with what they depend on."""
import lzma
import os
import re
import subprocess


class ModuleError(Exception):
    pass


def _name(path):
    return os.path.basename(path).split('.ko')[0].replace('-', '_')


def _read(path):
    with open(path, 'rb') as f:
        data = f.read()
    if path.endswith('.xz'):
        return lzma.decompress(data)
    if path.endswith('.zst'):
        return subprocess.run(['zstd', '-dcq'], input=data, stdout=subprocess.PIPE,
                              check=True).stdout
    return data


class ModuleSet:
    """The modules that one image carries, in an order in which they can be loaded."""

    def __init__(self, folder):
        self.folder = os.path.realpath(folder)
        self.release = os.path.basename(self.folder)
        self.known = {}
        self.chosen = {}        # name -> (data, names it depends on)
        with open(os.path.join(folder, 'modules.dep')) as f:
            for line in f:
                path, deps = line.split(':')
                self.known[_name(path)] = (path, [_name(d) for d in deps.split()])
        with open(os.path.join(folder, 'modules.builtin')) as f:
            self.builtin = {_name(line.strip()) for line in f}

    def add(self, name):
        """Adds a module of the kernel package, and all that it depends on."""
        name = name.replace('-', '_')
        if name in self.chosen or name in self.builtin:
            return
        if name not in self.known:
            raise ModuleError(f'kernel {self.release} has no module {name}')
        path, deps = self.known[name]
        # modules.dep lists the nearest first; the last one depends on nothing.
        for dep in reversed(deps):
            self.add(dep)
        self.chosen[name] = (_read(os.path.join(self.folder, path)), deps)

    def add_file(self, path):
        """Adds a module built elsewhere, and what it depends on in the package."""
        data = _read(path)
        found = re.search(rb'\0depends=([^\0]*)\0', data)
        deps = [d.replace('-', '_') for d in found.group(1).decode().split(',') if d] \
            if found else []
        for dep in deps:
            self.add(dep)
        full = list(deps)
        for dep in deps:
            full += [d for d in self.chosen.get(dep, (b'', []))[1] if d not in full]
        self.chosen[_name(path)] = (data, [d for d in full if d in self.chosen])

    def put_into(self, cpio):
        """/lib/modules/RELEASE with modules.dep, as modprobe wants it."""
        base = f'lib/modules/{self.release}'
        lines = []
        for name, (data, deps) in self.chosen.items():
            cpio.file(f'{base}/{name}.ko', data)
            lines.append(f'{name}.ko:' + ''.join(f' {d}.ko' for d in deps) + '\n')
        if lines:
            cpio.file(f'{base}/modules.dep', ''.join(lines).encode())
