# SPDX-License-Identifier: BSD-2-Clause
"""Where things lie, and the few helpers that every part of the testbed uses."""
import contextlib
import fcntl
import hashlib
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.path.join(TOP, 'build')
CACHE = os.path.join(BUILD, 'testbed')
KERNELS = ('6.1', '6.12')


class TestbedError(Exception):
    """The testbed itself failed, not the scenario."""


class BadSnapshot(TestbedError):
    """L1 does not go on from its snapshot, or not for long."""


def say(text):
    print(f'testbed: {text}', file=sys.stderr, flush=True)


def kernel_dir(version):
    return os.path.join(BUILD, 'kernels', version)


@contextlib.contextmanager
def locked(name):
    """Only one process at a time builds the thing called name."""
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, f'.{name}.lock'), 'w') as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def stamp_of(paths, *extra):
    """A key that changes whenever one of the files does, or an extra value."""
    key = hashlib.sha256(repr(extra).encode())
    for path in paths:
        st = os.stat(path)
        key.update(f'{path}\0{st.st_size}\0{st.st_mtime_ns}\n'.encode())
    return key.hexdigest()


def read_text(path):
    try:
        with open(path) as f:
            return f.read()
    except FileNotFoundError:
        return ''


def write_text(path, text):
    with open(path, 'w') as f:
        f.write(text)
