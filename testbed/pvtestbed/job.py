# SPDX-License-Identifier: BSD-2-Clause
"""A job: the scenario, the files beside it, its arguments and environment."""
import io
import os
import shlex
import tarfile

from .paths import TestbedError

MOST_BYTES = 64 << 20


class Job:
    def __init__(self, scenario, args, with_qemu=False):
        self.path, self.args, self.with_qemu = os.path.realpath(scenario), args, with_qemu
        self.folder, self.file = os.path.split(self.path)
        self.name = self.file[:-3] if self.file.endswith('.sh') else self.file

    def script(self, env, work):
        lines = [f'export {k}={shlex.quote(v)}' for k, v in env.items()]
        words = [env['PVI_SCENARIO_DIR'] + '/' + self.file] + self.args
        lines += [f'cd {shlex.quote(work)} || exit 125',
                  'exec sh ' + ' '.join(shlex.quote(w) for w in words)]
        return '\n'.join(lines) + '\n'

    def tar(self, env, work):
        """What L1 finds on its first disk: the start script and the scenario's folder."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode='w', format=tarfile.GNU_FORMAT) as tar:
            self._put(tar, 'run', self.script(env, work).encode())
            if self.with_qemu:
                self._put(tar, 'with-qemu', b'')
            for folder, subs, names in os.walk(self.folder):
                subs[:] = [s for s in sorted(subs) if not s.startswith(('.', '__pycache__'))]
                for name in sorted(names):
                    path = os.path.join(folder, name)
                    inside = os.path.relpath(path, self.folder)
                    if os.path.isfile(path):
                        tar.add(path, f'scenario/{inside}', recursive=False)
                if out.tell() > MOST_BYTES:
                    raise TestbedError(f'{self.folder}: the folder of a scenario goes to L1 '
                                       f'whole, and this one is beyond {MOST_BYTES >> 20} MiB')
        return out.getvalue()

    @staticmethod
    def _put(tar, name, data):
        member = tarfile.TarInfo(name)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))


def unpack_results(data, folder):
    """Writes plain files and folders of the results, and nothing outside of folder."""
    os.makedirs(folder, exist_ok=True)
    root = os.path.realpath(folder)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            target = os.path.normpath(os.path.join(root, member.name))
            if target != root and not target.startswith(root + os.sep):
                raise TestbedError(f'results: {member.name} leads out of the folder')
            if member.isdir():
                os.makedirs(target, exist_ok=True)
            elif member.isfile():
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with open(target, 'wb') as f:
                    f.write(tar.extractfile(member).read())
