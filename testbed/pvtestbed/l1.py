# SPDX-License-Identifier: BSD-2-Clause
"""The L1 machine: its image, its command line, its snapshot."""
import os
import re
import secrets
import select
import shutil
import subprocess
import sys
import time

from .paths import (CACHE, TOP, TestbedError, kernel_dir, locked, read_text, say, stamp_of,
                    write_text)
from .qemu import Qemu, memory_file

BOOT_SECONDS = 300
MODULES = ('virtio_pci virtio_console virtio_blk ext4 crc32c_generic loop kvm_amd tun bridge '
           'vfio-pci vfio_iommu_type1 e1000e nvme').split()
# busybox's own shell would prefer its applets to the real mke2fs.
PROGRAMS = ('dash', 'mke2fs', 'e2fsck', 'debugfs', 'dumpe2fs')
NVME_BYTES = 64 << 20
NVME_FDSET = 100        # + the device's place on the command line
# On a busy host the emulated timer can be late; the kernel would take it for broken.
CMDLINE = ('console=ttyS0 quiet panic=-1 intel_iommu=on tsc=reliable no_timer_check '
           'mitigations=off')
# Cards that a snapshot can hold; any other device boots L1 afresh.
SNAPSHOT_DEVICES = ('e1000e', 'e1000', 'virtio-net-pci')
CARDS = SNAPSHOT_DEVICES + ('igb', 'rtl8139', 'vmxnet3')


def program(name):
    path = shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')
    if not path:
        raise TestbedError(f'no {name} on this machine: run scripts/deps.sh testbed')
    return path


def initrd(version, name='l1', modules=MODULES, files=(), inputs=()):
    """L1's initramfs for a kernel, made when something in it changed. files are further
    (source, path inside), inputs further files that make it out of date."""
    here = os.path.join(TOP, 'testbed')
    init, agent = (os.path.join(here, 'l1', n) for n in ('init', 'agent'))
    passwd, group = (os.path.join(here, 'l1', n) for n in ('passwd', 'group'))
    programs = [program(n) for n in PROGRAMS]
    maker = os.path.join(here, 'mkinitrd')
    out = os.path.join(CACHE, f'{name}-{version}.cpio')
    with locked(f'{name}-{version}'):
        stamp = stamp_of([init, agent, passwd, group, maker, program('busybox'),
                          os.path.join(kernel_dir(version), 'version'), __file__]
                         + programs + list(inputs) + [src for src, _ in files])
        if read_text(out + '.stamp') != stamp or not os.path.exists(out):
            args = [sys.executable, maker, '--out', out, '--init', init,
                    '--kernel', kernel_dir(version), '--busybox', program('busybox'),
                    '--file', f'{agent}:bin/l1-agent', '--file', f'{passwd}:etc/passwd',
                    '--file', f'{group}:etc/group']
            args += [a for m in modules for a in ('--module', m)]
            args += [a for src, dst in files for a in ('--file', f'{src}:{dst}')]
            args += [a for p in programs for a in ('--bin', p)]
            args += ['--link', 'dash:bin/sh']
            if subprocess.run(args).returncode:
                raise TestbedError('cannot make the image of L1')
            write_text(out + '.stamp', stamp)
    return out, stamp


class Machine:
    """What one L1 is made of. Two machines with the same key can share a snapshot."""

    NAME, ENV = 'l1', {'PVI_MACHINE': 'l1'}
    CPU = 'max,+svm,+npt'

    def __init__(self, options):
        self.kernel, self.icount = options.kernel, options.icount
        self.mem, self.vcpus = options.mem, options.vcpus
        self.cmdline = f'{CMDLINE} {options.cmdline}'.rstrip()
        self.devices = list(options.device)
        self.caching_mode = options.caching_mode
        self.traced, self.trace_file = options.trace, None
        self.binary = program('qemu-system-x86_64')
        self.initrd, self.initrd_stamp = self.make_initrd()

    def make_initrd(self):
        return initrd(self.kernel)

    @property
    def release(self):
        return read_text(os.path.join(kernel_dir(self.kernel), 'version')).strip()

    def describe(self):
        return f'Linux {self.release}'

    @property
    def snapshots(self):
        return not self.icount and all(
            spec.split(',')[0] in SNAPSHOT_DEVICES for spec in self.devices)

    def kernel_args(self):
        return ['-kernel', os.path.join(kernel_dir(self.kernel), 'vmlinux'),
                '-initrd', self.initrd, '-append', self.cmdline]

    def fixed_args(self):
        accel = 'tcg,thread=single' if self.icount else 'tcg,thread=multi,tb-size=512'
        args = ['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot',
                '-M', 'q35,kernel-irqchip=split,sata=off', '-accel', accel,
                '-cpu', self.CPU, '-m', self.mem, '-smp', str(self.vcpus),
                '-device', f'intel-iommu,intremap=on,caching-mode={self.caching_mode}',
                '-device', 'virtio-serial-pci,addr=3'] + self.kernel_args()
        if self.icount:
            args += ['-icount', 'shift=0,sleep=off']
        for number, spec in enumerate(self.devices):
            model = spec.split(',')[0]
            if model in CARDS:
                net = f'net{number}'
                extra = '' if 'romfile=' in spec else ',romfile='
                # Cards of the same lan=N reach each other, and nobody else.
                lan = re.search(r',lan=(\d+)', spec)
                peer = f'hubport,id={net},hubid={lan[1]}' if lan else f'user,id={net}'
                card = spec.replace(lan[0], '') if lan else spec
                args += ['-netdev', peer, '-device', f'{card},netdev={net}{extra}']
            elif model == 'nvme' and 'drive=' not in spec:
                drive = f'nvme{number}'
                serial = '' if 'serial=' in spec else f',serial={drive}'
                media = (f'driver=raw,node-name={drive},file.driver=file,'
                         f'file.filename=/dev/fdset/{NVME_FDSET + number},file.locking=off')
                # Where the clock counts instructions, it runs away while a file is waited for.
                if ',media=null' in spec:
                    media = (f'driver=null-co,node-name={drive},size={NVME_BYTES},'
                             'read-zeroes=on')
                disk = spec.replace(',media=null', '')
                args += ['-blockdev', media, '-device', f'{disk},drive={drive}{serial}']
            else:
                args += ['-device', spec]
        return args

    def key(self):
        vmlinux = os.path.join(kernel_dir(self.kernel), 'vmlinux')
        return stamp_of([vmlinux, self.binary], self.initrd_stamp, self.fixed_args())[:16]

    def _qemu(self, job, payload, extra):
        """payload and extra are paths of images; None stands for an empty disk."""
        q = Qemu(self.binary)
        q.args += self.fixed_args()
        for name in ('console', 'qmp', 'control', 'output', 'results'):
            q.channel(name)
        q.args += ['-serial', 'chardev:console', '-mon', 'chardev=qmp,mode=control']
        for number, name in enumerate(('control', 'output', 'results'), 1):
            q.args += ['-device', f'virtserialport,nr={number},chardev={name}']
        # Nobody listens: what is written there marks a place in a trace (testbed-mark).
        q.args += ['-chardev', 'file,id=mark,path=/dev/null', '-device', 'virtserialport,nr=4,chardev=mark']
        if self.trace_file and self.traced:
            for event in ['virtio_console_flush_buf'] + self.traced:
                q.args += ['-trace', event]
            q.args += ['-D', self.trace_file]
        for number, spec in enumerate(self.devices):
            if spec.split(',')[0] == 'nvme':
                q.fds.append(os.memfd_create('nvme'))
                os.ftruncate(q.fds[-1], NVME_BYTES)
                q.args += ['-add-fd', f'fd={q.fds[-1]},set={NVME_FDSET + number}']
        q.disk('job', memory_file('job', job or bytes(4096)), 4)
        for addr, name, path in ((5, 'payload', payload), (6, 'extra', extra)):
            q.disk(name, os.open(path, os.O_RDONLY) if path
                   else memory_file(name, bytes(4096)), addr)
        return q

    def boot(self, job, payload, extra=None):
        q = self._qemu(job, payload, extra)
        q.start()
        try:
            wait_ready(q)
        except BaseException:
            q.stop()
            raise
        return q

    def restore(self, snapshot, job, payload, extra=None):
        """Starts from the snapshot, which is open and is closed with it."""
        q = self._qemu(job, payload, extra)
        q.fds.append(snapshot)
        q.args += ['-incoming', f'fd:{snapshot}']
        q.start()
        return q

    def snapshot_path(self):
        return os.path.join(CACHE, f'{self.NAME}-{self.kernel}-{self.key()}.snapshot')

    def need_snapshot(self):
        """Returns the snapshot, open."""
        path = self.snapshot_path()
        try:
            return os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            pass
        with locked(os.path.basename(path)):
            if not os.path.exists(path):
                self._make_snapshot(path)
            return os.open(path, os.O_RDONLY)

    def drop_snapshot(self, fd):
        """The one that is open as fd, unless another has made it anew."""
        path = self.snapshot_path()
        with locked(os.path.basename(path)):
            if os.path.exists(path) and os.path.samestat(os.stat(path), os.fstat(fd)):
                os.unlink(path)

    def _make_snapshot(self, path):
        begin = time.monotonic()
        say(f'booting L1 once, to keep it as a snapshot ({self.describe()}; about 10 s)')
        # Without a name until it is complete: nothing is left when this is interrupted.
        fd = os.open(CACHE, os.O_TMPFILE | os.O_RDWR, 0o644)
        q = self._qemu(None, None, None)
        try:
            q.start()
            wait_ready(q)
            qmp = q.monitor()
            qmp.command('migrate-set-parameters', **{'max-bandwidth': 1 << 40})
            qmp.command('getfd', [fd], fdname='snapshot')
            qmp.command('migrate', uri='fd:snapshot')
            while (status := qmp.command('query-migrate').get('status')) != 'completed':
                if status in ('failed', 'cancelled'):
                    raise TestbedError(f'cannot keep a snapshot of L1: {q.words()}')
                time.sleep(0.05)
            self._forget_old()
            # Naming a descriptor is what makes Python follow the link (linkat).
            os.link(f'/proc/self/fd/{fd}', path, src_dir_fd=fd, follow_symlinks=True)
            size = os.fstat(fd).st_size >> 20
            say(f'kept {size} MiB after {time.monotonic() - begin:.1f} s')
        finally:
            q.stop()
            os.close(fd)

    def _forget_old(self):
        """Keeps the three newest snapshots: nobody misses one that no key leads to."""
        old = [os.path.join(CACHE, n) for n in os.listdir(CACHE) if n.endswith('.snapshot')]
        for path in sorted(old, key=os.path.getmtime)[:-3]:
            os.unlink(path)


def wait_ready(q):
    """Reads the control and console channels until L1 says ready."""
    end = time.monotonic() + BOOT_SECONDS
    control, console = q.channels['control'], q.channels['console']
    said, log = b'', b''
    while b'\n' not in said:
        readable = select.select([control, console], [], [], max(0, end - time.monotonic()))[0]
        if not readable:
            raise TestbedError(f'L1 did not start within {BOOT_SECONDS} s; its console ends:\n'
                               + tail(log))
        for sock in readable:
            data = sock.recv(65536)
            if not data:
                raise TestbedError('QEMU ended while L1 started: ' + q.words() + tail(log))
            if sock is control:
                said += data
            else:
                log += data
    if said != b'ready\n':
        raise TestbedError(f'L1 said {said!r} instead of ready')


def tail(log, lines=15):
    text = re.sub(r'\x1b\[[0-9;?]*[a-zA-Z]', '', log.decode(errors='replace'))
    return '\n'.join(text.replace('\r', '').rstrip().split('\n')[-lines:])


def go(q):
    seed = secrets.token_hex(32)
    q.channels['control'].sendall(f'go {int(time.time())} {seed}\n'.encode())
