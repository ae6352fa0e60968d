"""Files: what was acknowledged is in the verified backup, byte for byte, unless the instance itself was killed.

The log tells what the disk must hold: a save keeps it, a start brings the last save back.
"""

import base64
import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import google_crc32c
import zstandard

from proof.evidence import Evidence, StoredObject, Tree
from proof.invariants.violation import Violation
from proof.told import Told, Write

_MOST_BYTES = 1 << 30
_ENDS = ("stopped", "deleted")
_CONFESSIONS = frozenset({"replaced", "failed", *_ENDS})
"""Events after which a user knows that what was not saved may be gone."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Files that went with an instance: at which event, and what had happened since the last save."""

    kind: str
    when: datetime
    what: str
    since_save: frozenset[str]

    def __str__(self) -> str:
        return f"at {self.kind} ({self.when:%H:%M:%S}): {self.what}"


@dataclass(slots=True)
class Workspace:
    """What the files must be, as of one moment of the log."""

    disk: dict[str, str] = field(default_factory=dict)
    saved: dict[str, str] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)
    since_save: set[str] = field(default_factory=set)

    def write(self, write: Write) -> None:
        if write.sha256 is None:
            self.disk.pop(write.path, None)
        else:
            self.disk[write.path] = write.sha256

    def happen(self, kind: str, when: datetime) -> None:
        """A save keeps what there is; a start and an end forget what was not kept."""
        if kind == "saved":
            self.saved, self.since_save = dict(self.disk), set()
        elif kind in ("started", *_ENDS):
            if lost := difference(self.disk, self.saved):
                self.losses.append(Loss(kind, when, lost, frozenset(self.since_save)))
            self.disk = dict(self.saved)
        self.since_save.add(kind)


def workspace(found: Evidence, told: Told, until: datetime | None = None) -> Workspace:
    """What the files must be at the end of the log, or as it was at a moment."""
    moments: list[tuple[datetime, int, Write | str]] = [(write.time, 0, write) for write in told.writes]
    moments += [(event["time"], 1, str(event["kind"])) for event in found.events]
    files = Workspace()
    for when, _, what in sorted(moments, key=lambda moment: moment[:2]):
        if until is not None and when > until:
            break
        if isinstance(what, Write):
            files.write(what)
        else:
            files.happen(what, when)
    return files


def nothing_acknowledged_is_lost(found: Evidence, told: Told) -> Iterator[Violation]:
    """No file goes that was acknowledged, but with an instance that was killed."""
    if told.may_lose:
        return
    for loss in workspace(found, told).losses:
        yield Violation("nothing acknowledged is lost", str(loss))


def a_loss_is_told(found: Evidence, told: Told) -> Iterator[Violation]:
    """What went with a killed instance is no secret: its log says that it was replaced, or its record what is unsaved."""
    name, record = "a loss is told", found.record
    for loss in workspace(found, told).losses:
        if loss.kind == "started" and not loss.since_save & _CONFESSIONS:
            yield Violation(name, f"{loss}; nothing in the log says why")
        at_the_end = bool(found.events) and loss.when == found.events[-1]["time"]
        if record and at_the_end and loss.kind in _ENDS and not record["unsavedChanges"]:
            yield Violation(name, f"{loss}; the record knows of no unsaved changes")


def the_backup_restores(found: Evidence, told: Told) -> Iterator[Violation]:
    """The object that the record names is whole and holds exactly what was saved."""
    name, record = "an acknowledged save restores", found.record
    if record is None:
        return
    wanted, backup = workspace(found, told).saved, record["backup"]
    if backup is None:
        if wanted:
            yield Violation(name, f"no backup is recorded; saved were {', '.join(sorted(wanted))}")
        return
    stored = next((one for one in found.objects if one.name == backup["objectName"]), None)
    if stored is None or stored.content is None:
        yield Violation(name, f"{backup['objectName']} is not in the bucket")
        return
    if flaw := _flaw(stored, backup["size"], backup["sha256"]):
        yield Violation(name, flaw)
        return
    try:
        tree = in_archive(stored.content)
    except (zstandard.ZstdError, tarfile.TarError, EOFError) as failure:
        yield Violation(name, f"it cannot be unpacked: {failure}")
        return
    if wrong := difference(wanted, tree):
        yield Violation(name, f"unpacked it is not what was saved: {wrong}")


def were_read_as_written(found: Evidence, told: Told) -> Iterator[Violation]:
    """Every time that the client read all files, they were those that the log and its own writes lead to."""
    for reading in told.readings:
        wanted = workspace(found, told, reading.end).disk
        if wrong := difference(wanted, reading.tree):
            yield Violation("files are read as they were written", f"at {reading.end:%H:%M:%S}: {wrong}")


def in_archive(content: bytes) -> Tree:
    """The files of a saved object, a zstd-compressed tar; of a path that comes twice, the later one."""
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content)) as stream:
        plain = stream.read(_MOST_BYTES)
    tree: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        for member in archive:
            if file := archive.extractfile(member) if member.isfile() else None:
                tree[member.name] = hashlib.sha256(file.read()).hexdigest()
    return tree


def difference(wanted: Tree, there: Tree) -> str:
    """In which paths two trees differ, in words; empty where they do not."""
    both = wanted.keys() & there.keys()
    found = {
        "missing": wanted.keys() - there.keys(),
        "unexpected": there.keys() - wanted.keys(),
        "different": {path for path in both if wanted[path] != there[path]},
    }
    return "; ".join(f"{word} {', '.join(sorted(paths))}" for word, paths in found.items() if paths)


def _flaw(stored: StoredObject, size: int, sha256: str) -> str:
    content = stored.content or b""
    if len(content) != size or stored.size != size:
        return f"it has {len(content)} bytes, recorded are {size}"
    if hashlib.sha256(content).hexdigest() != sha256:
        return "its sha256 is not the recorded one"
    crc32c = base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()
    return "" if crc32c == stored.crc32c else "its crc32c is not the bucket's"
