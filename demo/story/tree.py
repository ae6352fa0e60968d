"""Is every file there? A tree of files as one hash, taken from a folder, through the gateway or from a saved object.

The three readers share nothing but the form of the result, so that each is a witness of its own.
"""

import hashlib
import io
import stat
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import zstandard

from demo.story.client import Client

DIRECTORY = "directory"
Tree = Mapping[str, str]
"""By path: `mode sha256`, or `mode directory`."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """A tree and its hash."""

    tree: Tree

    @property
    def sha256(self) -> str:
        """The hash over every path, mode and content, in the order of the paths."""
        lines = "".join(f"{path}\0{what}\n" for path, what in sorted(self.tree.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    @property
    def files(self) -> int:
        """How many files there are; directories are not counted."""
        return sum(not what.endswith(DIRECTORY) for what in self.tree.values())

    def difference(self, other: "Hashed") -> str:
        """The paths in which two trees differ, in words."""
        missing, added = self.tree.keys() - other.tree.keys(), other.tree.keys() - self.tree.keys()
        changed = {
            path for path in self.tree.keys() & other.tree.keys() if self.tree[path] != other.tree[path]
        }
        found = {"missing": missing, "added": added, "changed": changed}
        return "; ".join(f"{word} {', '.join(sorted(paths))}" for word, paths in found.items() if paths)


def project_files(root: Path) -> dict[str, bytes]:
    """The sample project's files by their path below it, without what Python caches."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def through_gateway(client: Client, id_: str) -> Hashed:
    """The workspace as its user sees it: every directory listed, every file downloaded."""
    return Hashed(dict(_listed(client, id_, "")))


def in_archive(saved: bytes) -> Hashed:
    """The files in a saved object (a zstd-compressed tar)."""
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(saved)) as stream:
        content = stream.read()
    tree: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            tree[member.name] = _entry(member.mode, file.read() if file else None)
    return Hashed(tree)


def _listed(client: Client, id_: str, directory: str) -> Iterator[tuple[str, str]]:
    for entry in client.visit("GET", id_, f"-/files/{directory}").json()["entries"]:
        path, mode = f"{directory}{entry['name']}", int(entry["mode"], 8)
        if entry["type"] == DIRECTORY:
            yield path, _entry(mode, None)
            yield from _listed(client, id_, f"{path}/")
        else:
            yield path, _entry(mode, client.visit("GET", id_, f"-/files/{path}").content)


def _entry(mode: int, content: bytes | None) -> str:
    what = DIRECTORY if content is None else hashlib.sha256(content).hexdigest()
    return f"{stat.S_IMODE(mode):04o} {what}"
