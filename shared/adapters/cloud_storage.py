"""The BackupStore on a Cloud Storage bucket.

It gives agents signed URLs and never touches their bytes, except to hash an object once, in bounded memory.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

from shared.adapters.refusals import reading, writing
from shared.domain.errors import NotFound
from shared.ports import Grant, StoredObject

GRANT_LIFETIME = timedelta(minutes=15)
MOST_BYTES = 16 << 30
"""Of one upload: no workspace is larger, and a tenant holds the grant."""
CALL_SECONDS = 10.0
AGAIN_SECONDS = 20.0
CHUNK = 1 << 20
_UPLOAD_HEADERS = {"x-goog-if-generation-match": "0", "x-goog-content-length-range": f"0,{MOST_BYTES}"}


def storage_client(project: str) -> Any:
    """A `storage.Client`; it finds STORAGE_EMULATOR_HOST by itself."""
    from google.cloud import storage  # noqa: PLC0415 - 0.2 s, paid on first use

    return storage.Client(project=project)


class CloudStorageBackups:
    """One bucket. `signer` is credentials that can sign. Safe for threads."""

    def __init__(self, client_factory: Callable[[], Any], bucket: str, signer: Any) -> None:
        self._client_factory = client_factory
        self._name = bucket
        self._signer = signer

    def upload_grant(self, object_name: str) -> Grant:
        """A PUT of this object, if it does not exist yet."""
        return self._grant("PUT", object_name, _UPLOAD_HEADERS)

    def download_grant(self, object_name: str) -> Grant:
        """A GET of this object."""
        return self._grant("GET", object_name, {})

    def stat(self, object_name: str) -> StoredObject | None:
        """The object as the store describes it, or None."""
        with reading(f"look at {object_name}"):
            blob = self._bucket.get_blob(object_name, timeout=CALL_SECONDS, retry=self._retry)
        return None if blob is None else _described(blob)

    def sha256(self, object_name: str) -> str:
        """The hash of what the store sends. Raises NotFound."""
        digest = _Digest()
        with reading(f"read {object_name}"):
            # As stored: a Content-Encoding that a tenant set must not make us unpack anything. A retry goes on
            # at the byte where it broke off, in the same generation.
            self._bucket.blob(object_name).download_to_file(
                digest, raw_download=True, checksum=None, timeout=CALL_SECONDS, retry=self._retry
            )
        return digest.hexdigest()

    def list(self, prefix: str) -> Sequence[StoredObject]:
        """The objects whose names begin with `prefix`, by name."""
        with reading(f"list {prefix}"):
            blobs = self._client.list_blobs(
                self._name, prefix=prefix, timeout=CALL_SECONDS, retry=self._retry
            )
            return [_described(blob) for blob in blobs]

    def delete(self, object_name: str) -> None:
        """Delete the object; absent is done, so it may be tried again."""
        try:
            with writing(f"delete {object_name}"):
                self._bucket.blob(object_name).delete(timeout=CALL_SECONDS, retry=self._retry)
        except NotFound:
            return

    def _grant(self, method: str, object_name: str, headers: Mapping[str, str]) -> Grant:
        with reading(f"sign a grant for {object_name}"):
            url = self._bucket.blob(object_name).generate_signed_url(
                version="v4",
                method=method,
                expiration=GRANT_LIFETIME,
                headers=dict(headers),
                credentials=self._signer,
            )
        return Grant(url=url, headers=headers)

    @cached_property
    def _client(self) -> Any:
        return self._client_factory()

    @cached_property
    def _bucket(self) -> Any:
        return self._client.bucket(self._name)

    @cached_property
    def _retry(self) -> Any:
        from google.cloud.storage.retry import DEFAULT_RETRY  # noqa: PLC0415 - as the client

        return DEFAULT_RETRY.with_timeout(AGAIN_SECONDS).with_delay(initial=0.2, maximum=4.0)


class _Digest:
    """A file that keeps nothing but the hash of what was written to it."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._sha256.update(data)
        return len(data)

    def tell(self) -> int:
        return 0

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()


def _described(blob: Any) -> StoredObject:
    return StoredObject(blob.name, blob.size, blob.crc32c, blob.time_created)
