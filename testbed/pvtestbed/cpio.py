# SPDX-License-Identifier: BSD-2-Clause
"""Writes initramfs images: newc cpio archives, without root and always the same bytes."""
import os
import stat


class Cpio:
    """Collects the tree, then writes it. Parent folders appear by themselves."""

    def __init__(self):
        self.entries = {}

    def _put(self, path, mode, data=b'', rdev=(0, 0)):
        path = path.strip('/')
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self.folder(parent)
        self.entries[path] = (mode, data, rdev)

    def folder(self, path, mode=0o755):
        self._put(path, stat.S_IFDIR | mode)

    def file(self, path, data, mode=0o644):
        self._put(path, stat.S_IFREG | mode, data)

    def link(self, path, target):
        self._put(path, stat.S_IFLNK | 0o777, target.encode())

    def char_device(self, path, major, minor):
        self._put(path, stat.S_IFCHR | 0o600, b'', (major, minor))

    def write(self, out):
        for number, (path, (mode, data, rdev)) in enumerate(self.entries.items(), 1):
            self._member(out, number, path, mode, data, rdev)
        self._member(out, 0, 'TRAILER!!!', 0, b'', (0, 0))

    @staticmethod
    def _member(out, inode, path, mode, data, rdev):
        name = path.encode() + b'\0'
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(name), 0)
        head = b'070701' + b''.join(b'%08x' % f for f in fields) + name
        out.write(head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4))
