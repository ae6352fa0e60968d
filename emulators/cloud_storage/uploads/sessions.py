"""What survives of an upload that is not complete?  One record and one file of bytes for each."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from emulators.cloud_storage.kept.content import ContentWriter
from emulators.cloud_storage.kept.disk import replace_durably
from emulators.cloud_storage.kept.preconditions import Preconditions
from emulators.cloud_storage.kept.records import Content, ObjectRecord
from emulators.cloud_storage.uploads.intake import Announcement, SizeLimits


@dataclass(frozen=True, slots=True)
class Session:
    """An upload as it is kept: what was announced, and what came of it."""

    id: str
    started: datetime
    announced: Announcement
    content: Content | None = None
    """Where the bytes are about to be, or are, part of an object."""
    finished: ObjectRecord | None = None

    def as_stored(self) -> dict[str, Any]:
        """The session as JSON values."""
        announced, limits = self.announced, self.announced.limits
        return {
            "id": self.id,
            "started": self.started.isoformat(),
            "bucket": announced.bucket,
            "name": announced.name,
            "attributes": announced.attributes,
            "conditions": _stored_conditions(announced.conditions),
            "hashes": dict(announced.hashes),
            "origin": announced.origin,
            "limits": None if limits is None else [limits.smallest, limits.largest],
            "content": None if self.content is None else _values(self.content),
            "finished": None if self.finished is None else self.finished.as_stored(),
        }

    @classmethod
    def from_stored(cls, values: dict[str, Any]) -> Self:
        """The session that as_stored wrote."""
        content, finished = values["content"], values["finished"]
        return cls(
            id=values["id"],
            started=datetime.fromisoformat(values["started"]),
            announced=_announced(values),
            content=None if content is None else Content(**content),
            finished=None if finished is None else ObjectRecord.from_stored(finished),
        )


def _announced(values: dict[str, Any]) -> Announcement:
    limits = values["limits"]
    return Announcement(
        bucket=values["bucket"],
        name=values["name"],
        attributes=values["attributes"],
        conditions=_conditions(values["conditions"]),
        hashes=values["hashes"],
        origin=values.get("origin"),
        limits=None if limits is None else SizeLimits(*limits),
    )


def _values(record: Any) -> dict[str, Any]:
    return {item.name: getattr(record, item.name) for item in fields(record)}


def _stored_conditions(conditions: Preconditions) -> dict[str, Any]:
    values = _values(conditions)
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}


def _conditions(stored: dict[str, Any]) -> Preconditions:
    values: dict[str, Any] = {
        name: frozenset(value) if isinstance(value, list) else value for name, value in stored.items()
    }
    return Preconditions(**values)


class SessionFiles:
    """The directory of uploads under way."""

    def __init__(self, directory: Path, contents: Path) -> None:
        self._directory = directory
        self._contents = contents
        directory.mkdir(parents=True, exist_ok=True)

    def write(self, session: Session) -> None:
        """Make a session's record durable."""
        replace_durably(self._record(session.id), session.as_stored())

    def new_bytes(self, session_id: str) -> ContentWriter:
        """A writer of a session's bytes, from the first on."""
        (self._directory / f"{session_id}.bytes").unlink(missing_ok=True)
        return ContentWriter(self._directory, f"{session_id}.bytes")

    def kept_bytes(self, session_id: str) -> ContentWriter:
        """A writer that goes on after the bytes that are there."""
        return ContentWriter.resume(self._directory, f"{session_id}.bytes")

    def publish(self, session: Session, content: Content) -> Session:
        """The session with its complete bytes among the contents, known to it before anybody else."""
        known = replace(session, content=replace(content, file=uuid4().hex))
        assert known.content is not None
        self.write(known)
        (self._contents / known.content.file).hardlink_to(self._directory / f"{session.id}.bytes")
        return known

    def end(self, session: Session) -> None:
        """Keep what came of it, and the bytes no longer."""
        self.write(session)
        self.remove_bytes(session.id)

    def remove_bytes(self, session_id: str) -> None:
        """Free the bytes, those of an object excepted."""
        (self._directory / f"{session_id}.bytes").unlink(missing_ok=True)

    def remove(self, session_id: str) -> None:
        """Forget a session."""
        self._record(session_id).unlink(missing_ok=True)
        self.remove_bytes(session_id)

    def read(self) -> Iterator[Session]:
        """Every session, the oldest first; what belongs to none is removed."""
        for partial in self._directory.glob("*.partial"):
            partial.unlink()
        found = [
            Session.from_stored(json.loads(path.read_bytes())) for path in self._directory.glob("*.json")
        ]
        known = {session.id for session in found}
        for path in self._directory.glob("*.bytes"):
            if path.stem not in known:
                path.unlink()
        yield from sorted(found, key=lambda session: session.started)

    def _record(self, session_id: str) -> Path:
        return self._directory / f"{session_id}.json"
