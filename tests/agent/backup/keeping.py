"""A store in memory, and what is in a backup according to other programs' readers of JSON, zstd and tar."""

import hashlib
import io
import itertools
import json
import tarfile

import zstandard
from agent.backup.failures import NameTakenError, StoreUnreachableError
from agent.backup.saving.save import save

_sequence = itertools.count(1)


class KeepingStore:
    """Objects by name; `fails_at` is the put, counted from 1, that fails, and all after it."""

    def __init__(self):
        self.objects = {}
        self.puts = 0
        self.fails_at = None

    def put(self, name, content):
        self.puts += 1
        if self.fails_at is not None and self.puts >= self.fails_at:
            raise StoreUnreachableError("no store today")
        if self.objects.setdefault(name, content) != content:
            raise NameTakenError(name)

    @property
    def manifests(self):
        return sorted(name for name in self.objects if ".manifest." in name)


def save_into(store, root, base=None, progress=None):
    """Save under a stem of its own; `base` is what the last save returned."""
    stem = f"00000001/{next(_sequence):08d}-0123abcd"
    return save(root, store, stem, base.index if base else None, progress)


def members(content):
    """Return [(name, content)] of one pack."""
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content), read_across_frames=True) as plain:
        content = plain.read()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return [(member.name, archive.extractfile(member).read()) for member in archive]


def manifest(store, saved):
    content = store.objects[saved.name]
    assert hashlib.sha256(content).hexdigest() == saved.sha256
    assert len(content) == saved.size
    return json.loads(zstandard.ZstdDecompressor().decompress(content))


def blobs(store, saved, holds):
    """Return the blobs of one kind of packs of a backup, having checked that each has its name and comes once."""
    found = {}
    for pack in manifest(store, saved)["packs"]:
        content = store.objects[pack["name"]]
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (pack["sha256"], pack["size"])
        if pack["holds"] == holds:
            for name, blob in members(content):
                assert hashlib.sha256(blob).hexdigest() == name
                assert name not in found, "stored twice"
                found[name] = blob
    return found


def entries(store, saved):
    """Return the lines of a backup's lists, in order."""
    lists = blobs(store, saved, "lists")
    return [
        json.loads(line)
        for name in manifest(store, saved)["lists"]
        for line in lists[name].decode().splitlines()
    ]


def contents(store, saved):
    """Return {path: content} of the files of a backup, those whose paths are UTF-8."""
    pieces = blobs(store, saved, "files")
    found = {}
    for line in entries(store, saved):
        if line["type"] == "file" and "path" in line:
            names = [line["sha256"]] if "sha256" in line else [name for name, _ in line.get("pieces", [])]
            found[line["path"]] = b"".join(pieces[name] for name in names)
            assert len(found[line["path"]]) == line["size"]
    return found
