"""What is in a directory? As one hash, and as rows that show where two trees differ.

Shares no code with the engine. Counted are kind, mode (without setuid, setgid and sticky), mtime to the nanosecond,
the targets of links and the content of files; not owners, inodes, holes, hard links, or the mode and time of the root.
"""

import hashlib
import os
import stat

_AT_ONCE = 2**20
_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}


def tree_rows(root):
    """Return {path: (kind, mode, mtime_ns, size, what is in it)}, all paths as bytes, relative to the root."""
    rows = {}
    _collect(os.fsencode(root), b"", rows)
    return rows


def tree_hash(root):
    """Return a hash of everything that a backup keeps of a directory."""
    whole = hashlib.sha256()
    for path, row in sorted(tree_rows(root).items()):
        whole.update(repr((path, row)).encode())
    return whole.hexdigest()


def differences(one, other):
    """Return (path, row of the one, row of the other) wherever two directories, or rows of them, differ."""
    left = one if isinstance(one, dict) else tree_rows(one)
    right = other if isinstance(other, dict) else tree_rows(other)
    return [
        (path, left.get(path), right.get(path))
        for path in sorted(left.keys() | right.keys())
        if left.get(path) != right.get(path)
    ]


def _collect(directory, prefix, rows):
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        status = os.lstat(path)
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "other")
        mode = 0 if kind == "link" else stat.S_IMODE(status.st_mode) & 0o777
        size = status.st_size if kind == "file" else 0
        rows[prefix + name] = (kind, mode, status.st_mtime_ns, size, _content(kind, path))
        if kind == "directory":
            _collect(path, prefix + name + b"/", rows)


def _content(kind, path):
    if kind == "link":
        return os.readlink(path)
    if kind != "file":
        return b""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_AT_ONCE):
            digest.update(piece)
    return digest.hexdigest()
