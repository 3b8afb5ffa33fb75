# SPDX-License-Identifier: BSD-2-Clause
"""The guests that bench/guest-strategies boots in QEMU, and what comes out of each."""
import json
import os
import re
import subprocess

from results import TOP

CAP = 512
STRATEGIES = ('none', 'direct-map', 'single-use', 'deferred', 'shared', 'persistent', 'bounce')
LOADS = ('udp-64', 'udp-1472', 'read-4k', 'read-64k', 'wait-4k', 'wait-64k')
THRASH = ('thrash-random', 'thrash-in-turn')
VIRTIO = ('virtio-iommu-pci,boot-bypass=off',)
INTEL = ('intel-iommu,intremap=off,caching-mode=off',)
TRACES = ('pci_cfg_write', 'virtio_iommu_map', 'virtio_iommu_unmap', 'virtio_iommu_attach',
          'virtio_iommu_fill_resv_property', 'virtio_queue_notify', 'vtd_inv_qi_tail',
          'vtd_inv_desc_iotlb*')
# The counters that a trace has as well.
TRACED = ('maps', 'unmaps', 'requests', 'kicks')
# Real time that a read waits on the second disk, so that the CPU idles for each.
LATENCY_NS = 300000
SECONDS = 300


class Boot:
    """What to boot. @config: "ours", or the one way that a boot of another driver has."""

    def __init__(self, kernel, config, device, cmdline, loads=LOADS, order=None, cap=None):
        self.kernel, self.config, self.device = kernel, config, device
        self.loads, self.order, self.cap = loads, order or [config], cap
        self.driver = {'ours': 'ours', 'linux': 'linux'}.get(config.split('-')[0], 'other')
        self.cmdline = cmdline

    def name(self):
        return f'{self.config}, Linux {self.kernel}' + (f', cap {self.cap}' if self.cap else '')

    def command(self, passes, scale, log, trace):
        cmdline = ['ipv6.disable=1', f'iommu={self.driver}', 'order=' + ','.join(self.order),
                   'loads=' + ','.join(self.loads), f'passes={passes}', f'scale={scale}']
        cmdline += self.cmdline + ([f'cap={self.cap}'] if self.cap else [])
        modules = ['virtio_pci', 'nvme', 'e1000e']
        modules += ['virtio_iommu'] if self.driver == 'linux' else []
        words = ['tests/e2e-qemu/vm', '--icount', '--cpus', '1', '--kernel', self.kernel,
                 '--init', os.path.join(TOP, 'bench', 'guest', 'init'), '--bin',
                 'bench/dma-load', '--timeout', str(SECONDS), '--log', log,
                 '--cmdline', ' '.join(cmdline)]
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


def run(boot, passes, scale, say):
    """Boots, and returns {"name", "kernel", "config", "passes", "total", "traced"}; None: the
    guest failed, and said why."""
    folder = os.path.join(TOP, 'build', 'bench')
    os.makedirs(folder, exist_ok=True)
    log, trace = (os.path.join(folder, 'strategies.' + n) for n in ('log', 'trace'))
    if os.path.exists(trace):
        os.unlink(trace)
    phases, total, said = [], dict.fromkeys(TRACED + ('faults',), 0), None
    with subprocess.Popen(boot.command(passes, scale, log, trace), cwd=TOP, text=True,
                          stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            if line.startswith('PHASE '):
                phases.append(_numbers(line))
                way = phases[-1]['name'].split('/')[0]
                if way != said:
                    said = way
                    say(f'  {way}')
            elif line.startswith('TOTAL '):
                for key, value in _numbers(line).items():
                    total[key] += value
            elif line.startswith('not ok'):
                say(line.rstrip())
    if process.returncode:
        return None
    counted = subprocess.run([os.path.join(TOP, 'tests', 'e2e-qemu', 'trace-counts'), trace],
                             stdout=subprocess.PIPE, text=True, check=True)
    whole, *stretches = (json.loads(line) for line in counted.stdout.splitlines())
    os.unlink(trace)
    for phase in phases:
        phase['way'], phase['load'] = phase.pop('name').split('/')
    return {'name': boot.name(), 'kernel': boot.kernel, 'driver': boot.driver, 'cap': boot.cap,
            'order': list(boot.order), 'passes': _merge(phases, stretches),
            'total': total if boot.driver == 'ours' else None, 'traced': whole}
