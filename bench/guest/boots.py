# SPDX-License-Identifier: BSD-2-Clause
"""The guests that bench/guest-strategies boots, and what comes out of each."""
import json
import os
import re
import subprocess
import threading

from results import TOP

CAP = 512
STRATEGIES = ('none', 'direct-map', 'single-use', 'deferred', 'shared', 'persistent', 'bounce')
LOADS = ('udp-64', 'udp-1472', 'read-4k', 'read-64k', 'wait-4k', 'wait-64k')
# Of a simulated virtio disk, whose driver maps each entry of a list by itself.
BLK = ('blk-4k', 'blk-64k')
THRASH = ('thrash-random', 'thrash-in-turn')
VIRTIO = ('virtio-iommu-pci,boot-bypass=off',)
INTEL = ('intel-iommu,intremap=off,caching-mode=off',)
TRACES = ('pci_cfg_write', 'virtio_iommu_map', 'virtio_iommu_unmap', 'virtio_iommu_attach',
          'virtio_iommu_fill_resv_property', 'virtio_queue_notify', 'vtd_inv_qi_tail',
          'vtd_inv_desc_iotlb*')
# The counters that a trace has as well.
TRACED = ('maps', 'unmaps', 'requests', 'kicks')
# What the statistics of `pviommu run` do not have.
NOT_TRACED = {'invalidations': 0, 'unmap_kicks': 0, 'depth': None}
PACKETS = 2048
# A machine in a machine takes its time, most of all where the host's IOMMU follows, and its
# counts need no long passes.
VMM_SECONDS, VMM_PART, VMM_PACKETS = 1200, 4, 128
# On real time more cost nothing, and less would not settle: packets come from slab pages, and
# those that the card was not given before are few only once many have been sent.
REAL_PACKETS = 1024
# Real time that a read waits on the second disk, so that the CPU idles for each.
LATENCY_NS = 300000
SECONDS = 900
# Under the counting clock the emulator loses an interrupt now and then at the exit of a guest
# in a guest, which then spins for ever. One that goes on says so every few seconds.
SILENT_SECONDS = 300


class Boot:
    """What to boot in QEMU. @config: "ours", or the one way that a boot of another driver
    has. With more than one CPU the clock is everybody's, and instructions are nobody's."""
    vmm = 'QEMU'

    def __init__(self, kernel, config, device, cmdline, loads=LOADS, order=None, cap=None,
                 cpus=1):
        self.kernel, self.config, self.device = kernel, config, device
        self.loads, self.order, self.cap = loads, order or [config], cap
        self.driver = {'ours': 'ours', 'linux': 'linux'}.get(config.split('-')[0], 'other')
        self.cmdline, self.cpus = cmdline, cpus

    def where(self):
        return (f'{self.vmm}, Linux {self.kernel}' + (f', cap {self.cap}' if self.cap else '')
                + (f', {self.cpus} CPUs' if self.cpus > 1 else ''))

    def name(self):
        return f'{self.where()}, {self.config}'

    def counts_instructions(self):
        return self.cpus == 1

    def on_real_time(self):
        return False

    def words(self, passes, scale, packets, marks):
        """Of the kernel's command line."""
        words = ['ipv6.disable=1', f'iommu={self.driver}', 'order=' + ','.join(self.order),
                 'loads=' + ','.join(self.loads), f'passes={passes}', f'scale={scale}',
                 f'packets={packets}', f'marks={marks}', f'jobs={self.cpus}']
        return ' '.join(words + self.cmdline + ([f'cap={self.cap}'] if self.cap else []))

    def command(self, passes, scale, log, trace):
        passes = passes if self.cpus == 1 else 1
        modules = ['virtio_pci', 'nvme', 'e1000e']
        modules += ['virtio_iommu'] if self.driver == 'linux' else []
        words = ['tests/e2e-qemu/vm', '--icount', '--cpus', str(self.cpus), '--kernel',
                 self.kernel, '--init', os.path.join(TOP, 'bench', 'guest', 'init'), '--bin',
                 'bench/dma-load', '--timeout', str(SECONDS), '--log', log,
                 '--cmdline', self.words(passes, scale, PACKETS * scale // 100, 'bridge')]
        for m in modules:
            words += ['--module', m]
        # No firmware that would use the disk.
        words += ['--', '-bios', 'qboot.rom']
        for d in self.device:
            words += ['-device', d]
        null = 'driver=null-co,size=1048576,read-zeroes=on'
        words += ['-blockdev', f'{null},node-name=n1',
                  '-blockdev', f'{null},node-name=n2,latency-ns={LATENCY_NS}',
                  '-device', 'nvme,id=nvme,serial=n',
                  '-device', 'nvme-ns,bus=nvme,drive=n1,nsid=1',
                  '-device', 'nvme-ns,bus=nvme,drive=n2,nsid=2',
                  '-netdev', 'user,id=u,restrict=on', '-device', 'e1000e,netdev=u,romfile=']
        for t in TRACES:
            words += ['-trace', t]
        return words + ['-D', trace]


class VmmBoot(Boot):
    """The same guest in `pviommu run`, on the testbed's machine, with a simulated disk; or,
    @real, with the network card and the nvme of that machine. Then the counting clock is too
    slow: each access to a register of those makes it translate code anew. With two CPUs it
    loses interrupts of every other guest, and counts are all there is to it."""
    vmm = 'pviommu run'

    def __init__(self, real, **more):
        # none has to be allowed by the VMM, and is not by default.
        Boot.__init__(self, '6.1', 'ours', None, [], order=STRATEGIES[1:],
                      loads=LOADS[:4] if real else BLK, **more)
        self.real = real
        if real:
            self.vmm = 'pviommu run --assign'

    def counts_instructions(self):
        return False

    def on_real_time(self):
        return self.real or self.cpus > 1

    def command(self, passes, scale, log, trace):
        machine = ['--device', 'e1000e', '--device', 'nvme,media=null'] if self.real else []
        machine += [] if self.on_real_time() else ['--icount']
        return ['testbed/run', '--no-build', '--where', 'l1'] + machine + [
                '--timeout', str(VMM_SECONDS), '--results', os.path.dirname(log),
                'bench/guest/vmm.sh', str(self.cpus),
                self.words(1, 100 // VMM_PART, REAL_PACKETS if self.real else VMM_PACKETS,
                           'console')]


def ours(kernel, turn=0, **more):
    """All strategies, another one first at each turn."""
    turn = turn * 2 % len(STRATEGIES)
    order = STRATEGIES[turn:] + STRATEGIES[:turn]
    return Boot(kernel, 'ours', VIRTIO, [], order=order, **more)


def thrash(kernel):
    return Boot(kernel, 'ours', VIRTIO, [], loads=THRASH, order=['persistent'], cap=CAP)


def others():
    """The kernel's own drivers, on 6.12, which has one for the virtio-iommu."""
    intel = 'intel_iommu=on'
    return [Boot('6.12', 'linux-strict', VIRTIO, ['iommu.strict=1']),
            Boot('6.12', 'linux-lazy', VIRTIO, ['iommu.strict=0']),
            Boot('6.12', 'intel-strict', INTEL, [intel, 'iommu.strict=1']),
            Boot('6.12', 'intel-lazy', INTEL, [intel, 'iommu.strict=0']),
            Boot('6.12', 'intel-passthrough', INTEL, [intel, 'iommu=pt'])]


def _numbers(line):
    return {k: int(v) if re.fullmatch(r'-?\d+', v) else v
            for k, v in re.findall(r'(\w+)=(\S+)', line)}


def _merge(phases, stretches):
    """Beside a pass's counters, what the trace has of it."""
    if len(phases) != len(stretches):
        raise RuntimeError(f'{len(phases)} passes, but {len(stretches)} stretches in the trace')
    for phase, stretch in zip(phases, stretches):
        phase['traced'] = stretch
    return phases


class Said:
    """What the guest said, and in `pviommu run` the VMM."""

    def __init__(self):
        self.phases, self.stretches, self.whole = [], [], None
        self.total = dict.fromkeys(TRACED + ('faults',), 0)

    def take(self, line, say):
        word = line.split(' ')[0]
        if word == 'PHASE':
            last = self.phases[-1]['name'].split('/')[0] if self.phases else None
            self.phases.append(_numbers(line))
            way = self.phases[-1]['name'].split('/')[0]
            if way != last:
                say(f'  {way}')
        elif word == 'TOTAL':
            for key, value in _numbers(line).items():
                self.total[key] += value
        elif word == 'STRETCH':
            self.stretches.append({**NOT_TRACED, **_numbers(line)})
        elif word == 'WHOLE':
            self.whole = {**NOT_TRACED, **_numbers(line)}
        elif line.startswith('not ok'):
            say(line.rstrip())


def _take_trace(said, trace):
    counted = subprocess.run([os.path.join(TOP, 'tests', 'e2e-qemu', 'trace-counts'), trace],
                             stdout=subprocess.PIPE, text=True, check=True)
    said.whole, *said.stretches = (json.loads(line) for line in counted.stdout.splitlines())
    os.unlink(trace)


def _lines(process, boot, say):
    """What it says; it is ended when it says nothing for too long."""
    def give_up():
        say(f'{boot.name()}: silent for {SILENT_SECONDS} s: ended')
        process.terminate()

    def watch():
        timer = threading.Timer(SILENT_SECONDS, give_up)
        timer.daemon = True
        timer.start()
        return timer

    timer = None if boot.on_real_time() else watch()
    for line in process.stdout:
        if timer:
            timer.cancel()
            timer = watch()
        yield line
    if timer:
        timer.cancel()


def run(boot, passes, scale, say):
    """Boots, and returns what was counted, as {"name", "passes", "total", "traced", ...}; None:
    the guest failed, and said why."""
    folder = os.path.join(TOP, 'build', 'bench', 'strategies',
                          re.sub(r'\W+', '-', boot.name()))
    os.makedirs(folder, exist_ok=True)
    log, trace = (os.path.join(folder, n) for n in ('log', 'trace'))
    if os.path.exists(trace):
        os.unlink(trace)
    said = Said()
    with open(log + '.all', 'w') as everything, \
            subprocess.Popen(boot.command(passes, scale, log, trace), cwd=TOP, text=True,
                             stdout=subprocess.PIPE) as process:
        for line in _lines(process, boot, say):
            everything.write(line)
            everything.flush()
            said.take(line, say)
    if process.returncode:
        return None
    if os.path.exists(trace):
        _take_trace(said, trace)
    for phase in said.phases:
        phase['way'], phase['load'] = phase.pop('name').split('/')
    return {'name': boot.name(), 'where': boot.where(), 'driver': boot.driver, 'cap': boot.cap,
            'cpus': boot.cpus, 'vmm': boot.vmm, 'instructions': boot.counts_instructions(),
            'real_time': boot.on_real_time(),
            'order': list(boot.order), 'passes': _merge(said.phases, said.stretches),
            'total': said.total if boot.driver == 'ours' else None, 'traced': said.whole}
