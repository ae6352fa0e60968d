"""Where are the jobs between two starts?  One JSON file for each, replaced whole and flushed to disk.

Writing blocks the event loop until the disk has it: so no request sees what a crash could take back.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from google.cloud.scheduler_v1.types import Job
from google.protobuf import json_format

from emulators import durable

_DRAFT = ".draft"


class StateInUse(Exception):
    """Another emulator works on the same directory."""


@dataclass(slots=True)
class Record:
    """A job and what is still to be done for it.

    `due` is the schedule time of the next run, which stays until that run is over; None while the job is paused.
    `forced` are the times of runs that were asked for by hand and are not over. Both are in the cron's time.
    """

    job: Any
    due: datetime | None = None
    forced: list[datetime] = field(default_factory=list)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep the directory to ourselves; StateInUse when somebody has it. The kernel frees it however we end."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateInUse(
                f"Another emulator uses {directory}; end it, or choose another --state."
            ) from None
        yield


class Store:
    """All records by the names of their jobs; without a directory they live as long as the process."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def load(self) -> dict[str, Record]:
        """What is on disk; drafts that were never finished are removed."""
        if self._directory is None:
            return {}
        self._directory.mkdir(parents=True, exist_ok=True)
        for draft in self._directory.glob(f"*{_DRAFT}"):
            draft.unlink()
        records = (_read(file) for file in sorted(self._directory.glob("*.json")))
        return {record.job.name: record for record in records}

    def put(self, record: Record) -> None:
        """Write a record; it is on disk when this returns."""
        if self._directory is None:
            return
        data = json.dumps(_document(record), indent=1).encode()
        durable.replace(self._path(record.job.name), data, _DRAFT)

    def remove(self, name: str) -> None:
        """Forget a job; it is gone from disk when this returns."""
        if self._directory is not None:
            self._path(name).unlink()
            durable.sync_directory(self._directory)

    def _path(self, name: str) -> Path:
        assert self._directory is not None, "only what is kept has a path"
        return self._directory / f"{sha256(name.encode()).hexdigest()}.json"


def _document(record: Record) -> dict[str, Any]:
    return {
        "job": json_format.MessageToDict(record.job),
        "due": record.due and record.due.isoformat(),
        "forced": [moment.isoformat() for moment in record.forced],
    }


def _read(path: Path) -> Record:
    document = json.loads(path.read_text("utf-8"))
    due = document["due"] and datetime.fromisoformat(document["due"])
    forced = [datetime.fromisoformat(moment) for moment in document["forced"]]
    return Record(json_format.ParseDict(document["job"], Job.pb()()), due, forced)
