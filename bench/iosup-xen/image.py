# SPDX-License-Identifier: BSD-2-Clause
"""The guests' images for bench/iosup: for each kernel one initramfs, which a domU boots from
and dom0 unpacks, so that both run the same files; all on one disk for testbed/run --extra."""
import glob
import os
import shutil
import subprocess
import sys

from results import TOP

sys.path.insert(0, os.path.join(TOP, 'testbed'))
from pvtestbed import payload  # noqa: E402
from pvtestbed.paths import kernel_dir, locked  # noqa: E402

HERE = os.path.dirname(os.path.realpath(__file__))
BUILD = os.path.join(TOP, 'build', 'bench', 'iosup')
ROOT = os.path.join(TOP, 'build', 'lighttpd')
KERNELS = ('6.1', '6.12')
MODULES = ('xen-pcifront', 'nvme', 'e1000e', 'virtio_net', 'virtio_pci')
PROGRAMS = ('dash', 'gcc', 'as', 'ld')
OURS = ('bench/iosup-load', 'bench/dma-load')
# What the compiler is given; small ones, for an emulated CPU.
SOURCES = ('core/alloc.c', 'core/defer.c')


def sh(*words, **more):
    return subprocess.run(words, check=True, cwd=TOP, **more)


def sources():
    """As the compiler sees them, so that the guest needs no headers."""
    for old in glob.glob(f'{BUILD}/*.i'):
        os.unlink(old)
    for path in SOURCES:
        out = os.path.join(BUILD, os.path.basename(path)[:-2] + '.i')
        sh('gcc', '-E', '-P', '-D_GNU_SOURCE', '-I.', '-Iinclude', path, '-o', out)
        yield out


def arguments(kernel, preprocessed):
    libs = os.path.join(ROOT, 'usr', 'lib')
    guest = os.path.join(HERE, 'guest')
    cc1 = subprocess.check_output(['gcc', '-print-prog-name=cc1'], text=True).strip()
    yield from ('--init', os.path.join(guest, 'init'), '--kernel', kernel_dir(kernel))
    for name in MODULES:
        yield from ('--module', name)
    yield from ('--module-file', f'{TOP}/build/modules/{kernel}/iosup.ko')
    bins = [f'{TOP}/build/static/{n}' for n in OURS]
    bins += [shutil.which(n) for n in PROGRAMS]
    for path in bins + [cc1, os.path.join(ROOT, 'usr', 'sbin', 'lighttpd')]:
        yield from ('--bin', path)
    files = [(os.path.join(guest, n), f'bench/{n}') for n in os.listdir(guest) if n != 'init']
    files += [(p, f'bench/{os.path.basename(p)}') for p in preprocessed]
    files += [('/bin/true', 'usr/bin/true'), (f'{TOP}/testbed/l1/passwd', 'etc/passwd'),
              (f'{libs}/lighttpd/mod_cgi.so', 'usr/lib/lighttpd/mod_cgi.so')]
    files += [(p, 'usr/lib/x86_64-linux-gnu/' + os.path.basename(p))
              for p in glob.glob(f'{libs}/x86_64-linux-gnu/*.so.*')]
    for source, inside in files:
        yield from ('--file', f'{source}:{inside}')


def make():
    """Returns the disk's path."""
    tree, disk = os.path.join(BUILD, 'images'), os.path.join(BUILD, 'images.img')
    os.makedirs(tree, exist_ok=True)
    with locked('iosup-images'):
        sh(os.path.join(HERE, 'fetch-lighttpd'))
        preprocessed = list(sources())
        for kernel in KERNELS:
            sh('testbed/mkinitrd', '--out', f'{tree}/iosup-bench-{kernel}.cpio',
               *arguments(kernel, preprocessed))
        payload.make_image(tree, disk)
    return disk


def versions():
    return {'gcc': subprocess.check_output(['gcc', '-dumpfullversion'], text=True).strip(),
            'lighttpd': open(os.path.join(ROOT, 'version')).read().strip()}
