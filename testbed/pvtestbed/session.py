# SPDX-License-Identifier: BSD-2-Clause
"""Runs one job in L1: hands it over, streams its output, brings its results back."""
import os
import selectors
import sys
import time

from . import l1, xen
from .job import unpack_results
from .paths import BadSnapshot, TestbedError, say
from .qemu import Waker

ENV = {
    'PVI_RESULTS': '/run/results', 'PVI_KERNELS': '/pvi/kernels', 'PVI_INITRD': '/pvi/initrd',
    'PVI_MODULES': '/pvi/modules', 'PVI_SCENARIO_DIR': '/run/job/scenario',
    'PVI_QUIRKS': '--testbed-quirks',
}
RESTORE_SECONDS = 60
FIRST_SECONDS = 10      # an L1 that ends in these, and has not said a word, was bad from the start
DELIVERY_SECONDS = 60


class Session:
    def __init__(self, qemu, timeout, on_begin):
        self.qemu = qemu
        self.begin = time.monotonic()
        self.timeout, self.on_begin = timeout, on_begin
        self.started = False        # whether L1 has shown a sign of life since "go"
        self.control, self.results, self.console = bytearray(), bytearray(), bytearray()
        self.output = 0             # bytes
        self.ended = False

    def _take(self, name, data):
        if name == 'output':
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            self.output += len(data)
        elif name == 'console':
            self.console += data
            del self.console[:-(1 << 20)]
        else:
            getattr(self, name).extend(data)
        if name == 'control' and b'exit ' in self.control and not self.ended:
            # What it wrote in time still gets through.
            self.ended = True
            self.begin, self.timeout = time.monotonic(), DELIVERY_SECONDS
        if name == 'control' and b'begin\n' in self.control and not self.started:
            self.started = True
            self.begin = time.monotonic()
            self.on_begin()

    def _read(self, name, sock):
        """Takes all that is there. False when the other end has closed."""
        while True:
            try:
                data = sock.recv(1 << 18)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._take(name, data)

    def _finished(self):
        """The exit status, once everything that belongs to it has arrived."""
        for line in self.control.decode(errors='replace').split('\n')[:-1]:
            if line.startswith('exit '):
                status, output, results = (int(word) for word in line.split()[1:])
                if (self.output, len(self.results)) == (output, results):
                    return status
        return None

    def wait(self):
        """Returns the exit status, or None when the time is over."""
        waker = Waker(self.qemu)
        with selectors.DefaultSelector() as selector:
            for name in ('control', 'output', 'results', 'console'):
                selector.register(self.qemu.channels[name], selectors.EVENT_READ, name)
            while True:
                limit = self.timeout if self.started else RESTORE_SECONDS
                left = self.begin + limit - time.monotonic()
                if left <= 0 and not self.started:
                    raise BadSnapshot('L1 does not go on from its snapshot; its console '
                                      'ends:\n' + l1.tail(self.console))
                if left <= 0 and self.ended:
                    raise TestbedError(f'the scenario ended, but its output or results did not '
                                       f'arrive: {self.control}')
                if left <= 0:
                    return None
                for key, _ in selector.select(min(left, waker.check())):
                    waker.heard()
                    if not self._read(key.data, key.fileobj):
                        early = not self.output and \
                            time.monotonic() - self.begin < FIRST_SECONDS
                        raise (BadSnapshot if early else TestbedError)(
                            'L1 ended early: ' + self.qemu.words() + l1.tail(self.console))
                status = self._finished()
                if status is not None:
                    return status


def start(machine, snapshot, job, payload, extra):
    tar = job.tar({**ENV, **machine.ENV}, '/run/work')
    if snapshot is None:
        return machine.boot(tar, payload, extra)
    return machine.restore(os.dup(snapshot), tar, payload, extra)


def run_once(options, machine, snapshot, job, payload, results, extra):
    """The exit status."""
    begin = time.monotonic()
    qemu = start(machine, snapshot, job, payload, extra)
    session = Session(qemu, options.timeout, lambda: say(
        f'{job.name}: in L1 ({machine.describe()}) after '
        f'{time.monotonic() - begin:.1f} s'))
    try:
        l1.go(qemu)
        status = session.wait()
    finally:
        qemu.stop()
        if options.console:
            with open(options.console, 'wb') as f:
                f.write(session.console)
    if status is None:
        say(f'{job.name}: no end within {options.timeout} s; stopped')
        return 124
    unpack_results(session.results, results)
    return status


def run(options, job, payload, results, extra=None):
    machine = (xen.Machine if options.machine == 'xen' else l1.Machine)(options)
    if options.trace:
        os.makedirs(results, exist_ok=True)
        machine.trace_file = os.path.join(os.path.realpath(results), 'trace.log')
    if not machine.snapshots or options.no_snapshot:
        return run_once(options, machine, None, job, payload, results, extra)
    # Now and then the emulator keeps, on a busy host, what cannot go on: and so each time.
    for last in (False, True):
        snapshot = machine.need_snapshot()
        try:
            return run_once(options, machine, snapshot, job, payload, results, extra)
        except BadSnapshot as error:
            machine.drop_snapshot(snapshot)
            if last:
                raise
            say(f'{error}\ntestbed: that snapshot is bad; once more from a new one')
        finally:
            os.close(snapshot)
    return None
