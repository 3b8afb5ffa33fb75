# SPDX-License-Identifier: BSD-2-Clause
"""The L1 machine whose kernel is a PV dom0 on Xen, both as Debian has them."""
import os
import subprocess

from . import l1
from .paths import BUILD, TOP, TestbedError, kernel_dir, read_text

XEN = os.path.join(BUILD, 'xen')
ROOT = os.path.join(XEN, 'root')
LIBS = os.path.join(ROOT, 'usr', 'lib', 'x86_64-linux-gnu')
TOOLS = os.path.join(ROOT, 'usr', 'lib', 'xen-4.17', 'bin')
PROGRAMS = ('xl', 'xenstored', 'xenconsoled', 'xen-init-dom0', 'xentrace', 'xenperf')
CLIENTS = ('xenstore-ls', 'xenstore-read', 'xenstore-write', 'xenstore-list', 'xenstore-watch')
# Called by xl and libxl under the names that Debian gave them.
HELPERS = ('libxl-save-helper', 'xenconsole')
# The threads of xl load it by name when one of them ends.
LOADED_LATER = ('libgcc_s.so.1',)
MODULES = ('virtio_pci virtio_console virtio_blk ext4 crc32c_generic loop tun '
           'xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs xen-pciback '
           'e1000e nvme virtio_net zram').split()
DOM0 = ('console=hvc0 quiet panic=-1 tsc=reliable mitigations=off')
DOM0_MEM = '1G'
# Emulated CPUs that the host does not run at the same time differ in what they take the time
# to be, by tens of milliseconds. Credit2 charges such a difference to the virtual CPU that
# moved, and was seen to leave it in the queue then, runnable, with all CPUs idle: for ever.
SCHEDULER = 'sched=credit'


def libraries(path):
    """What a program of the toolstack loads: name -> path."""
    env = {**os.environ, 'LD_LIBRARY_PATH': LIBS}
    done = subprocess.run(['ldd', path], env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True)
    found = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if words[1:2] == ['=>']:
            if words[2:3] == ['not']:
                raise TestbedError(f'{path}: no {words[0]}: run scripts/xen.sh again after '
                                   'rm -r build/xen')
            found[words[0]] = words[2]
    return found


def toolstack():
    """The files of the toolstack: (source, path in the image)."""
    programs = [(os.path.join(TOOLS, n), f'bin/{n}') for n in PROGRAMS]
    programs += [(os.path.join(ROOT, 'usr', 'bin', n), f'bin/{n}') for n in CLIENTS]
    programs += [(os.path.join(TOOLS, n), f'usr/lib/xen-4.17/bin/{n}') for n in HELPERS]
    libs = {}
    for source, _ in programs:
        libs.update(libraries(source))
    for name in LOADED_LATER:
        libs[name] = os.path.join(os.path.dirname(libs['libc.so.6']), name)
    return programs + [(path, f'lib/x86_64-linux-gnu/{name}') for name, path in libs.items()]


class Machine(l1.Machine):
    NAME, ENV = 'xen', {'PVI_MACHINE': 'xen', 'PVI_QUIRKS': ''}
    # With all that TCG has dom0 crashes while it boots.
    CPU = 'qemu64,+nx,+pcid,+smep,+x2apic,+cx16,+sse4.2,+popcnt,+ssse3'

    def __init__(self, options):
        if not os.path.exists(os.path.join(XEN, 'xen.elf')):
            raise TestbedError('no build/xen/xen.elf: run scripts/xen.sh')
        self.xen_args = options.xen_args
        super().__init__(options)

    def make_initrd(self):
        helpers = [(os.path.join(TOP, 'testbed', 'l1', n), f'bin/{n}')
                   for n in ('testbed-xen', 'testbed-mark')]
        return l1.initrd(self.kernel, self.NAME, MODULES, toolstack() + helpers, [__file__])

    def describe(self):
        version = read_text(os.path.join(XEN, 'version')).split('+')[0]
        return f'Xen {version}, Linux {self.release}'

    def kernel_args(self):
        vmlinux = os.path.join(kernel_dir(self.kernel), 'vmlinux')
        scheduler = f'{SCHEDULER} ' if self.vcpus > 1 else ''
        return ['-kernel', os.path.join(XEN, 'xen.elf'),
                '-append', 'console=com1 com1=115200,8n1 loglvl=warning guest_loglvl=warning '
                           f'dom0_mem={DOM0_MEM},max:{DOM0_MEM} {scheduler}{self.xen_args}',
                '-initrd', f'{vmlinux} {DOM0},{self.initrd}']
