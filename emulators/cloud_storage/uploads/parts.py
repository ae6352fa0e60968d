"""Which parts of a multipart upload are there?  A directory for each upload, a file and a record for each part."""

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.kept.content import ContentWriter
from emulators.cloud_storage.kept.disk import replace_durably
from emulators.cloud_storage.kept.records import Content
from emulators.cloud_storage.uploads.intake import Announcement
from emulators.cloud_storage.uploads.sessions import Session

_SESSION = "upload.json"
_LONGEST_ID = 128


class PartFiles:
    """The directory of multipart uploads under way; each stays until it is completed or aborted, or a rule does so."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def start(self, announced: Announcement, now: datetime) -> str:
        """Begin an upload; its id."""
        session = Session(uuid4().hex + uuid4().hex, now, announced)
        (self._directory / session.id).mkdir()
        replace_durably(self._directory / session.id / _SESSION, session.as_stored())
        return session.id

    def check(self, upload_id: str, bucket: str, name: str) -> None:
        """Raise unless there is such an upload for the object."""
        announced = self.announced(upload_id)
        if (announced.bucket, announced.name) != (bucket, name):
            raise no_upload()

    def under_way(self, bucket: str) -> Iterator[Session]:
        """The uploads to a bucket that are neither complete nor aborted."""
        for path in self._directory.glob(f"*/{_SESSION}"):
            # One may end while this looks.
            with suppress(FileNotFoundError):
                session = Session.from_stored(json.loads(path.read_bytes()))
                if session.announced.bucket == bucket:
                    yield session

    def announced(self, upload_id: str) -> Announcement:
        """What was said at the start; raises when there is no such upload."""
        path = self._upload(upload_id) / _SESSION
        try:
            return Session.from_stored(json.loads(path.read_bytes())).announced
        except FileNotFoundError as error:
            raise no_upload() from error

    def writer(self, upload_id: str) -> ContentWriter:
        """A part in the making."""
        return ContentWriter(self._upload(upload_id))

    def keep(self, upload_id: str, number: int, content: Content) -> None:
        """Make the content a part, in place of the one of its number."""
        values = {item.name: getattr(content, item.name) for item in fields(content)}
        old = self.parts(upload_id).get(number)
        replace_durably(self._upload(upload_id) / f"{number}.json", values)
        if old is not None:
            (self._upload(upload_id) / old.file).unlink(missing_ok=True)

    def parts(self, upload_id: str) -> dict[int, Content]:
        """The parts that are there, by number."""
        files = [path for path in self._upload(upload_id).glob("*.json") if path.stem.isdecimal()]
        return {int(path.stem): Content(**json.loads(path.read_bytes())) for path in files}

    def open(self, upload_id: str, part: Content) -> BinaryIO:
        """A part's bytes."""
        return (self._upload(upload_id) / part.file).open("rb")

    def remove(self, upload_id: str) -> None:
        """Forget an upload and its parts."""
        shutil.rmtree(self._upload(upload_id), ignore_errors=True)

    def _upload(self, upload_id: str) -> Path:
        # An id is ours or unknown: nothing that a client makes up becomes a path.
        if not (upload_id.isascii() and upload_id.isalnum() and len(upload_id) <= _LONGEST_ID):
            raise no_upload()
        return self._directory / upload_id


def no_upload() -> StorageError:
    """The refusal of an upload that is not there, or no more."""
    return StorageError(Reason.NO_UPLOAD, "The requested upload was not found: it was completed or aborted.")
