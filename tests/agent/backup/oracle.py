"""A writer of backups that shares no code with ours: what the form of docs/backups.md says, and all that it forbids.

Every level can be given as it should be or as raw bytes, and what lies above it (names, sums, hashes) is worked out
from what was given: a lie is found where it is told, not because some hash above it does not fit.
"""

import base64
import hashlib
import json
import os
import stat
import struct

import zstandard
from agent.backup.failures import NoObjectError

STEM = "00000001/00000001-0123abcd"
END = bytes(1024)


def manifest_name(stem):
    return f"{stem}.manifest.json.zst"


def pack_name(stem, number):
    return f"{stem}-{number:04d}.tar.zst"


MANIFEST = manifest_name(STEM)


class MemoryStore:
    """Objects in a dictionary, as Store."""

    def __init__(self, objects=None):
        self.objects = dict(objects or {})
        self.read = []

    def put(self, name, content):
        assert self.objects.setdefault(name, content) == content

    def get(self, name, most):
        self.read.append(name)
        if name not in self.objects:
            raise NoObjectError(f"{name} is not in the store")
        content = self.objects[name][: most + 2**20]
        for start in range(0, len(content), 2**20):
            yield content[start : start + 2**20]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def tar_header(name, size, *, kind=b"0", mode=0o400, target=b"", magic=b"ustar\x0000", **other):
    """Return a header as POSIX (pax, "ustar Interchange Format") lays it out; `other`: uid, mtime, prefix, checksum."""
    number = b"%011o" % size + b"\0" if isinstance(size, int) else size
    fields = [
        (name.encode() if isinstance(name, str) else name, 100),
        (b"%07o" % mode, 8),
        (b"%07o" % other.get("uid", 0), 8),
        (b"0000000", 8),
        (number, 12),
        (b"%011o" % other.get("mtime", 0), 12),
        (b" " * 8, 8),
        (kind, 1),
        (target, 100),
        (magic, 8),
        (b"", 32),
        (b"", 32),
        (b"0000000", 8),
        (b"0000000", 8),
        (other.get("prefix", b""), 155),
        (b"", 12),
    ]
    block = b"".join(struct.pack(f"{width}s", value) for value, width in fields)
    checksum = b"%06o\0 " % other.get("checksum", sum(block))
    return block[:148] + checksum + block[156:]


def member(content, name=None, *, size=None, padding=None, **header):
    """Return one blob as a member of a tar, with its padding."""
    fill = bytes(-len(content) % 512) if padding is None else padding
    size = len(content) if size is None else size
    return tar_header(name or sha256(content), size, **header) + content + fill


def frame(plain, **options):
    """Return a zstd frame that says its size and has a checksum."""
    return zstandard.ZstdCompressor(level=3, **{"write_checksum": True, **options}).compress(plain)


def frames(contents, room=2**20):
    """Return the frames of a pack with these blobs, the last one included."""
    result, plain = [], b""
    for content in contents:
        plain += member(content)
        if len(plain) >= room:
            result.append(frame(plain))
            plain = b""
    return [*result, *([frame(plain)] if plain else []), frame(END)]


class Pack:
    """A pack of these frames; `told` replaces what the manifest says of it."""

    def __init__(self, parts, content, *, lists=False, name=None, **told):
        self.object = b"".join(parts)
        self.name = name
        self.told = {
            "size": len(self.object),
            "sha256": sha256(self.object),
            "content": content,
            "holds": "lists" if lists else "files",
            **told,
        }


def pack(contents, *, lists=False, room=2**20, **told):
    """Return a pack as it should be, of these blobs."""
    content = sum(512 + len(one) + -len(one) % 512 for one in contents) + len(END)
    return Pack(frames(contents, room), content, lists=lists, **told)


def line(fields):
    """Return an entry as a line; bytes are a line already."""
    if isinstance(fields, bytes):
        return fields
    return (
        json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
    )


def path_field(name, value):
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}Base64": base64.b64encode(value).decode()}


def file(path, *contents, mode=0o644, mtime=10**18, **other):
    """Return the entry of a file with these pieces."""
    entry = {**path_field("path", os.fsencode(path)), "type": "file", "mode": mode, "mtime": mtime}
    entry["size"] = sum(map(len, contents))
    if len(contents) == 1:
        entry["sha256"] = sha256(contents[0])
    elif contents:
        entry["pieces"] = [[sha256(one), len(one)] for one in contents]
    return {**entry, **other}


def directory(path, *, mode=0o755, mtime=10**18, **other):
    """Return the entry of a directory."""
    return {
        **path_field("path", os.fsencode(path)),
        "type": "directory",
        "mode": mode,
        "mtime": mtime,
        **other,
    }


def link(path, target, *, mtime=10**18, **other):
    """Return the entry of a link."""
    entry = {**path_field("path", os.fsencode(path)), "type": "link", "mtime": mtime}
    return {**entry, **path_field("target", os.fsencode(target)), **other}


def manifest(packs, lists, entries, stem=STEM, **told):
    """Return the document of a manifest; `lists` are contents, `told` replaces what it says."""
    files = [one for one in entries if isinstance(one, dict) and one.get("type") == "file"]
    sizes = [one.get("size") for one in files]
    return {
        "format": "dormouse-backup",
        "version": 1,
        "written": "2026-01-02T03:04:05Z",
        "packs": [
            {"name": one.name or pack_name(stem, number), **one.told} for number, one in enumerate(packs)
        ],
        "lists": [sha256(one) for one in lists],
        "entries": sum(one.count(b"\n") for one in lists),
        "files": len(files),
        "bytes": sum(size for size in sizes if isinstance(size, int)),
        "skipped": [],
        "changed": [],
        **told,
    }


def store_of(packs, document, stem=STEM):
    """Return a store with these objects, and the sha256 of the manifest, which may be given as bytes."""
    content = document if isinstance(document, bytes) else frame(json.dumps(document).encode())
    objects = {one.name or pack_name(stem, number): one.object for number, one in enumerate(packs)}
    return MemoryStore({**objects, manifest_name(stem): content}), sha256(content)


def backup(entries, contents, *, per_list=64, packs=None, stem=STEM, **told):
    """Return (store, sha256 of the manifest) of a backup with these entries and pieces."""
    lines = [line(one) for one in entries]
    lists = [b"".join(lines[start : start + per_list]) for start in range(0, len(lines), per_list)]
    packs = [pack(list(dict.fromkeys(contents)))] if packs is None else packs
    packs = [one for one in [*packs, pack(lists, lists=True)] if len(one.object) > len(frame(END))]
    return store_of(packs, manifest(packs, lists, entries, stem, **told), stem)


def backup_of(root, piece=2**20, in_pack=16 * 2**20):
    """Return (store, sha256 of the manifest) of what is in a directory, files cut every `piece` bytes."""
    entries, contents = [], {}
    _collect(os.fsencode(root), b"", piece, entries, contents)
    packs, group, size = [], [], 0
    for content in contents:
        group.append(content)
        size += len(content)
        if size >= in_pack:
            packs.append(pack(group))
            group, size = [], 0
    return backup(entries, [], packs=[*packs, pack(group)])


def _collect(place, prefix, piece, entries, contents):
    for name in sorted(os.listdir(place)):
        where, path = os.path.join(place, name), prefix + name
        status = os.lstat(where)
        facts = {"mode": status.st_mode & 0o777, "mtime": status.st_mtime_ns}
        if stat.S_ISLNK(status.st_mode):
            entries.append(link(path, os.readlink(where), mtime=status.st_mtime_ns))
        elif stat.S_ISDIR(status.st_mode):
            entries.append(directory(path, **facts))
            _collect(where, path + b"/", piece, entries, contents)
        else:
            with open(where, "rb") as opened:
                pieces = list(iter(lambda: opened.read(piece), b""))
            contents.update(dict.fromkeys(pieces))
            entries.append(file(path, *pieces, **facts))
