"""Workspaces that hold everything that is easily lost, and how two of them are compared."""

import hashlib
import os
import random


def file_digest(path):
    """Return the sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def tree(root):
    """Return everything that must survive: kind, mode, time to the nanosecond and content of every entry."""
    found = {}
    root = os.fsencode(root)
    for directory, directories, files in os.walk(root):
        for name in directories + files:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            content = b""
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                content = file_digest(path)
            found[os.path.relpath(path, root)] = (status.st_mode, status.st_mtime_ns, content)
    return found


def furnish(root):
    """Fill a workspace with everything that is easily lost."""
    numbers = random.Random(1)
    (root / "empty directory" / "deep").mkdir(parents=True)
    (root / "ünï 中 \U0001f400\nnewline").write_text("unicode")
    (root / ("long" * 60)).mkdir()
    (root / ("long" * 60) / ("name" * 60)).write_bytes(b"x")
    with open(os.fsencode(root) + b"/\xff\xfe not utf-8", "wb") as file:
        file.write(b"bytes")
    (root / "empty").touch()
    (root / "large").write_bytes(numbers.randbytes(3_000_001))
    (root / "zeros").write_bytes(bytes(4_000_000))
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "secret").write_text("s")
    (root / "secret").chmod(0o600)
    (root / "read-only").mkdir()
    (root / "read-only" / "file").write_text("x")
    (root / "read-only").chmod(0o555)
    (root / "bin").mkdir()
    (root / "bin" / "inside").symlink_to("../run.sh")
    (root / "bin" / "python").symlink_to("/usr/bin/python3")
    (root / "dangling").symlink_to("nowhere/at/all")
    os.link(root / "run.sh", root / "hard link")
    for number in range(500):
        path = root / "node_modules" / f"p{number % 20}" / f"f{number}.js"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(numbers.randbytes(number))
    os.utime(root / "empty", ns=(1, 1_234_567_890_123_456_789))
    os.utime(root / "dangling", ns=(1, 987_654_321_000_000_001), follow_symlinks=False)
    os.utime(root / "empty directory", ns=(1, 1_000_000_000_000_000_007))
    os.utime(root / "zeros", ns=(-1, -1_500_000_000))


def save(agent, store, name="b", known=None, epoch=1):
    body = {
        "upload": {"url": store.url(name), "headers": {"x-goog-if-generation-match": "0"}},
        "known": known,
    }
    return agent.control("save", body, epoch)
