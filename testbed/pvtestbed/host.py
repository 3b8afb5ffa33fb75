# SPDX-License-Identifier: BSD-2-Clause
"""Runs a scenario on this machine, where it can run guests itself."""
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time

from . import payload
from .paths import BUILD, say
from .qemu import die_with_parent

PR_SET_CHILD_SUBREAPER = 36


def runs_guests():
    """The CPU's flag and a guest that really enters long mode: /dev/kvm alone says little."""
    probe = os.path.join(BUILD, 'static', 'testbed', 'kvm-probe')
    return os.path.exists('/dev/kvm') and os.access(probe, os.X_OK) and subprocess.run(
        [probe], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def _children():
    for task in os.listdir('/proc/self/task'):
        with open(f'/proc/self/task/{task}/children') as f:
            yield from (int(pid) for pid in f.read().split())


def _kill_all():
    """Ends whatever the scenario left: as their subreaper we inherit orphans."""
    while pids := list(_children()):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                pass


def _command(script):
    """As root a PID namespace makes even a kill -9 of ourselves end everything."""
    command = ['sh', script]
    if os.geteuid() == 0 and shutil.which('unshare'):
        command = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'] + command
    return command


def run(job, results, timeout):
    say(f'{job.name}: on this machine, which can run guests itself')
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    os.makedirs(results, exist_ok=True)
    tree = payload.TREE
    env = {
        'PATH': f'{tree}/bin:{os.environ["PATH"]}:/usr/sbin:/sbin',
        'PVI_RESULTS': os.path.realpath(results), 'PVI_KERNELS': f'{tree}/kernels',
        'PVI_INITRD': f'{tree}/initrd', 'PVI_MODULES': f'{tree}/modules',
        'PVI_SCENARIO_DIR': job.folder, 'PVI_QUIRKS': '', 'PVI_MACHINE': 'host',
    }
    with tempfile.TemporaryDirectory(prefix='pviommu-') as work:
        script = os.path.join(work, 'job')
        os.mkdir(os.path.join(work, 'work'))
        with open(script, 'w') as f:
            f.write(job.script(env, os.path.join(work, 'work')))
        process = subprocess.Popen(_command(script), stdin=subprocess.DEVNULL,
                                   stderr=subprocess.STDOUT, preexec_fn=die_with_parent,
                                   start_new_session=True)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            say(f'{job.name}: no end within {timeout} s; stopped')
            return 124
        finally:
            _kill_all()
    return status if status >= 0 else 128 - status
