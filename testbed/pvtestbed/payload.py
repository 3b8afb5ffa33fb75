# SPDX-License-Identifier: BSD-2-Clause
"""The payload: a read-only ext4 image with the build's programs, modules, kernels and guest
images, mounted at /pvi in L1. On a host that runs guests itself the same tree serves as is."""
import os
import shlex
import shutil
import subprocess
import sys

from .programs import libraries
from .paths import (BUILD, CACHE, KERNELS, TOP, TestbedError, kernel_dir, locked, read_text,
                    say, stamp_of, write_text)

STATIC = os.path.join(BUILD, 'static')
MODULES = os.path.join(BUILD, 'modules')
TREE = os.path.join(CACHE, 'payload')
IMAGE = os.path.join(CACHE, 'payload.img')
RECIPES = ('testbed', 'tests', 'bench', 'scripts')


def programs():
    """Every program of the static build but the unit tests: name -> path."""
    found = {}
    for folder, subs, names in os.walk(STATIC):
        subs[:] = [s for s in subs if not s.endswith('.p') and not s.startswith('meson-')]
        for name in names:
            path = os.path.join(folder, name)
            if not name.startswith('test_') and '.' not in name and os.access(path, os.X_OK):
                found[name] = path
    return found


def modules():
    """Our modules: VERSION/name -> path."""
    found = {}
    for version in KERNELS:
        folder = os.path.join(MODULES, version)
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            if name.endswith('.ko'):
                found[f'{version}/{name}'] = os.path.join(folder, name)
    return found


class Recipe:
    """NAME.initrd describes a guest's initramfs; one word and its arguments a line:

    kernel 6.1 6.12        which kernels it is made for (both, when not given)
    init FILE              becomes /init; relative to the recipe
    module NAME...         of the kernel package, with what they depend on
    module@6.12 NAME...    only in that kernel's image
    own NAME...            modules of ours, built for 6.1, and left out of other images
    own@6.12 NAME...       only in that kernel's image
    bin NAME...            a program of our static build, or of the machine (with libraries)
    file SRC DST           SRC relative to the recipe
    """

    def __init__(self, path):
        self.path, self.here = path, os.path.dirname(path)
        self.name = os.path.basename(path)[:-len('.initrd')]
        self.kernels, self.init = list(KERNELS), None
        self.modules = {v: [] for v in KERNELS}
        self.own = {v: [] for v in KERNELS}
        self.bins, self.files = [], []
        with open(path) as f:
            for number, line in enumerate(f, 1):
                words = shlex.split(line, comments=True)
                if words:
                    try:
                        self._line(words[0], words[1:])
                    except (ValueError, KeyError):
                        raise TestbedError(f'{path}:{number}: cannot read: {line.strip()}')
        if not self.init:
            raise TestbedError(f'{path}: names no init')

    def _line(self, word, args):
        if word == 'kernel':
            self.kernels = [v for v in KERNELS if v in args]
        elif word == 'init':
            self.init, = (os.path.join(self.here, a) for a in args)
        elif word == 'module':
            for version in KERNELS:
                self.modules[version] += args
        elif word.startswith('module@'):
            self.modules[word[len('module@'):]] += args
        elif word == 'own':
            self.own['6.1'] += args
        elif word.startswith('own@'):
            self.own[word[len('own@'):]] += args
        elif word == 'bin':
            self.bins += args
        elif word == 'file':
            src, dst = args
            self.files.append((os.path.join(self.here, src), dst))
        else:
            raise ValueError(word)

    def make(self, version, out, ours):
        """Runs mkinitrd unless out is what it would make."""
        bins = [ours.get(b) or shutil.which(b, path=os.environ['PATH'] + ':/usr/sbin:/sbin')
                for b in self.bins]
        if None in bins:
            raise TestbedError(f'{self.path}: no program {self.bins[bins.index(None)]}')
        own = [os.path.join(MODULES, version, f'{m}.ko') for m in self.own[version]]
        for path in own:
            if not os.path.exists(path):
                raise TestbedError(f'{self.path}: no {path}: run make modules')
        maker = os.path.join(TOP, 'testbed', 'mkinitrd')
        inputs = [self.path, maker, self.init, os.path.join(kernel_dir(version), 'version')]
        stamp = stamp_of(inputs + bins + own + [src for src, _ in self.files])
        if os.path.exists(out) and read_text(out + '.stamp') == stamp:
            return
        args = [sys.executable, maker, '--out', out, '--init', self.init,
                '--kernel', kernel_dir(version)]
        for option, values in (('--module', self.modules[version]), ('--module-file', own),
                               ('--bin', bins), ('--file', [f'{s}:{d}' for s, d in self.files])):
            args += [a for v in values for a in (option, v)]
        if subprocess.run(args).returncode:
            raise TestbedError(f'cannot make the image of {self.path}')
        write_text(out + '.stamp', stamp)


def recipes():
    for top in RECIPES:
        for folder, _, names in os.walk(os.path.join(TOP, top)):
            for name in sorted(names):
                if name.endswith('.initrd'):
                    yield Recipe(os.path.join(folder, name))


def contents():
    """What the payload holds: path inside it -> file."""
    ours = programs()
    files = {f'bin/{name}': path for name, path in ours.items()}
    files.update({f'modules/{name}': path for name, path in modules().items()})
    for version in KERNELS:
        for name in ('vmlinuz', 'vmlinux', 'version'):
            files[f'kernels/{version}/{name}'] = os.path.realpath(
                os.path.join(kernel_dir(version), name))
    folder = os.path.join(CACHE, 'initrd')
    os.makedirs(folder, exist_ok=True)
    for recipe in recipes():
        for version in recipe.kernels:
            name = f'{recipe.name}-{version}.cpio'
            try:
                recipe.make(version, os.path.join(folder, name), ours)
                files[f'initrd/{name}'] = os.path.join(folder, name)
            except TestbedError as e:
                # Scenarios that need no such guest still run.
                say(f'no guest image {name}: {e}')
    return files


def make():
    """Brings tree and image up to date. Returns the image's path."""
    with locked('payload'):
        files = contents()
        stamp = stamp_of(files.values(), sorted(files.items()))
        if read_text(IMAGE + '.stamp') == stamp and os.path.exists(IMAGE):
            return IMAGE
        # A run that uses the old tree or image keeps it: both are replaced, not changed.
        fresh = TREE + '.new'
        shutil.rmtree(fresh, ignore_errors=True)
        for inside, path in files.items():
            target = os.path.join(fresh, inside)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.link(path, target)
        make_image(fresh, IMAGE)
        shutil.rmtree(TREE, ignore_errors=True)
        os.rename(fresh, TREE)
        write_text(IMAGE + '.stamp', stamp)
        return IMAGE


def make_image(tree, image):
    size = sum(os.path.getsize(os.path.join(d, n)) for d, _, names in os.walk(tree)
               for n in names)
    fresh = image + '.new'
    if os.path.exists(fresh):
        os.unlink(fresh)
    done = subprocess.run(
        ['mke2fs', '-q', '-t', 'ext4', '-O', '^has_journal,^resize_inode', '-m', '0',
         '-E', 'root_owner=0:0,lazy_itable_init=1', '-d', tree, fresh,
         f'{(size + size // 16 >> 20) + 8}M'],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, 'PATH': os.environ['PATH'] + ':/usr/sbin:/sbin'})
    if done.returncode:
        raise TestbedError(f'mke2fs: {done.stdout}')
    os.rename(fresh, image)


QEMU_IMAGE = os.path.join(CACHE, 'qemu.img')
# What the machines q35 and microvm read when they start a kernel.
FIRMWARE = ('bios-256k.bin', 'bios-microvm.bin', 'kvmvapic.bin', 'linuxboot_dma.bin', 'pvh.bin',
            'qboot.rom')
FIRMWARE_DIRS = ('/usr/share/qemu', '/usr/share/seabios', '/usr/lib/ipxe/qemu')
QEMU_WRAPPER = """#!/bin/sh
here=/run/qemu
exec $here/lib/LOADER --library-path $here/lib $here/libexec/qemu-system-x86_64 \\
\t-L $here/share "$@"
"""


def make_qemu():
    """An image with this machine's QEMU, its libraries and firmware, for /run/qemu in L1."""
    binary = shutil.which('qemu-system-x86_64')
    if not binary:
        raise TestbedError('no qemu-system-x86_64: run scripts/deps.sh testbed')
    stamp = stamp_of([binary, __file__])
    with locked('qemu'):
        if read_text(QEMU_IMAGE + '.stamp') == stamp and os.path.exists(QEMU_IMAGE):
            return QEMU_IMAGE
        tree = os.path.join(CACHE, 'qemu.new')
        shutil.rmtree(tree, ignore_errors=True)
        for folder in ('bin', 'lib', 'libexec', 'share'):
            os.makedirs(os.path.join(tree, folder))
        shutil.copy(binary, os.path.join(tree, 'libexec'))
        libs = libraries(binary)
        for lib in libs:
            shutil.copy(lib, os.path.join(tree, 'lib'))
        for name in FIRMWARE:
            for folder in FIRMWARE_DIRS:
                if os.path.exists(os.path.join(folder, name)):
                    shutil.copy(os.path.join(folder, name), os.path.join(tree, 'share'))
                    break
        loader = next(os.path.basename(p) for p in libs if 'ld-linux' in p)
        wrapper = os.path.join(tree, 'bin', 'qemu-system-x86_64')
        write_text(wrapper, QEMU_WRAPPER.replace('LOADER', loader))
        os.chmod(wrapper, 0o755)
        make_image(tree, QEMU_IMAGE)
        shutil.rmtree(tree)
        write_text(QEMU_IMAGE + '.stamp', stamp)
        return QEMU_IMAGE
