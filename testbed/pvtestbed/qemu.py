# SPDX-License-Identifier: BSD-2-Clause
"""One QEMU process and its sockets. It dies with the process that started it, and leaves no
file: its channels are socket pairs, its small disks anonymous memory."""
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import time

from .paths import BUILD, TestbedError

# vmrun-fix.c says what it mends.
VMRUN_FIX = os.path.join(BUILD, 'static', 'testbed', 'vmrun-fix.so')

PR_SET_PDEATHSIG = 1


def die_with_parent():
    """For preexec_fn: the kernel kills this process when its parent ends, however it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def memory_file(name, data):
    """An anonymous file of whole pages, open for reading only (QEMU matches the mode)."""
    with os.fdopen(os.memfd_create(name), 'wb') as f:
        f.write(data)
        f.truncate((len(data) + 4095) // 4096 * 4096)
        f.flush()
        return os.open(f'/proc/self/fd/{f.fileno()}', os.O_RDONLY)


class Qemu:
    """Channels are created with channel() and disks with disk() before start()."""

    def __init__(self, binary):
        self.args = [binary]
        self.fds = []
        self.channels = {}
        self.process = None
        self.stderr = None
        self._monitor = None

    def monitor(self):
        """Of the running process, on its channel qmp."""
        if not self._monitor:
            self._monitor = Qmp(self.channels['qmp'])
        return self._monitor

    def channel(self, name):
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.channels[name] = ours
        self.fds.append(theirs.detach())
        self.args += ['-chardev', f'socket,id={name},fd={self.fds[-1]}']

    def disk(self, name, fd, addr):
        """A read-only disk on an open file."""
        number = len(self.fds) + 1
        self.fds.append(fd)
        self.args += ['-add-fd', f'fd={fd},set={number}',
                      '-blockdev', f'driver=raw,node-name={name},read-only=on,file.driver=file,'
                                   f'file.filename=/dev/fdset/{number},file.locking=off',
                      '-device', f'virtio-blk-pci,drive={name},addr={addr}']

    def start(self):
        self.stderr = os.memfd_create('stderr')
        self.process = subprocess.Popen(
            self.args, stdin=subprocess.DEVNULL, stdout=self.stderr, stderr=self.stderr,
            pass_fds=self.fds, preexec_fn=die_with_parent, start_new_session=True,
            env={**os.environ, 'LD_PRELOAD': VMRUN_FIX})
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def words(self):
        """What QEMU itself said, for error messages."""
        return os.pread(self.stderr, 4096, 0).decode(errors='replace').strip()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()
        for ours in self.channels.values():
            ours.close()
        for fd in self.fds:
            os.close(fd)
        self.fds, self.channels = [], {}


class Waker:
    """Wakes a machine that misses an interrupt, which TCG makes possible: at each exit of a
    nested guest the CPU's thread clears a bit in the word where others set that an
    interrupt is pending, and takes no lock for it (QEMU 7.2, svm_helper.c, do_vmexit). An
    interrupt that is lost so stays pending in the local APIC while the CPU halts, or goes
    on in a nested guest that spins: for ever, if it is the one-shot timer's. The next one
    of any kind delivers both. So a machine that is silent for a while gets a key press,
    which nothing in it heeds."""

    SECONDS = 3

    def __init__(self, qemu):
        self.qemu = qemu
        self.heard()

    def heard(self):
        """The machine has said something."""
        self.next = time.monotonic() + self.SECONDS

    def check(self):
        """Call it often. Returns the seconds until it wants to be called again."""
        if time.monotonic() >= self.next:
            self.qemu.monitor().command('send-key', keys=[{'type': 'qcode', 'data': 'shift'}])
            self.heard()
        return max(0, self.next - time.monotonic())


class Qmp:
    """The few monitor commands that a snapshot takes."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b''
        self._message(30)
        self.command('qmp_capabilities')

    def _message(self, timeout):
        end = time.monotonic() + timeout
        while b'\n' not in self.buffer:
            if not select.select([self.sock], [], [], max(0, end - time.monotonic()))[0]:
                raise TestbedError('QEMU does not answer on its monitor')
            data = self.sock.recv(65536)
            if not data:
                raise TestbedError('QEMU ended')
            self.buffer += data
        line, self.buffer = self.buffer.split(b'\n', 1)
        return json.loads(line)

    def command(self, name, fds=(), **arguments):
        text = json.dumps({'execute': name, 'arguments': arguments}).encode()
        socket.send_fds(self.sock, [text], fds)
        while True:
            answer = self._message(60)
            if 'error' in answer:
                raise TestbedError(f'QEMU: {name}: {answer["error"]["desc"]}')
            if 'return' in answer:
                return answer['return']
