"""How do bytes come in?  Received, measured against what was announced, and committed: or not stored at all."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from starlette.datastructures import Headers

from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.kept.content import ContentWriter
from emulators.cloud_storage.kept.preconditions import Preconditions
from emulators.cloud_storage.kept.records import Content, ObjectRecord
from emulators.cloud_storage.kept.store import Store


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """The sizes that a signed URL allows, in bytes, both included."""

    smallest: int
    largest: int

    def check(self, size: int) -> None:
        """Raise when a complete content is outside."""
        self.check_so_far(size)
        if size < self.smallest:
            message = f"The content of {size} bytes is smaller than the {self.smallest} that are allowed."
            raise StorageError(Reason.TOO_SMALL, message)

    def check_so_far(self, size: int) -> None:
        """Raise when a content is already too large."""
        if size > self.largest:
            message = f"The content is larger than the {self.largest} bytes that are allowed."
            raise StorageError(Reason.TOO_LARGE, message)


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a client says of an object before its bytes."""

    bucket: str
    name: str
    attributes: dict[str, Any]
    conditions: Preconditions
    hashes: Mapping[str, str] = field(default_factory=dict)
    """Expected checksums: ``crc32c`` and ``md5``, base64."""
    limits: SizeLimits | None = None
    origin: str | None = None
    """Whose pages may go on with a resumable upload."""

    def creating_only(self) -> Self:
        """The same of who may make objects, but replace none."""
        return replace(self, conditions=replace(self.conditions, creates_only=True))

    def check_before(self, store: Store) -> None:
        """Refuse early what would be refused after all bytes were sent."""
        bucket = store.bucket(self.bucket)
        self.conditions.check(bucket.objects.get(self.name))


async def receive(store: Store, announced: Announcement, stream: AsyncIterator[bytes]) -> ObjectRecord:
    """Take an object in one request."""
    announced.check_before(store)
    writer = store.writer()
    try:
        async for data in stream:
            await writer.write(data)
            if announced.limits is not None:
                announced.limits.check_so_far(writer.received)
        content = await seal(announced, writer)
    except BaseException:
        # Also when the client hangs up: nothing of it may stay.
        writer.discard()
        raise
    return await put(store, announced, content)


async def seal(
    announced: Announcement, writer: ContentWriter, hashes: Mapping[str, str] | None = None
) -> Content:
    """Complete a content that is as announced; ``hashes`` are expected besides those announced."""
    if announced.limits is not None:
        announced.limits.check(writer.received)
    content = await writer.finish()
    check_hashes(content, announced.hashes)
    check_hashes(content, hashes or {})
    return content


async def put(store: Store, announced: Announcement, content: Content) -> ObjectRecord:
    """Make a sealed content the announced object."""
    return await store.put_object(
        announced.bucket, announced.name, content, announced.attributes, announced.conditions
    )


def check_hashes(content: Content, expected: Mapping[str, str]) -> None:
    """Raise unless the content has the checksums that a client expects."""
    for name, actual in (("crc32c", content.crc32c), ("md5", content.md5)):
        if name in expected and expected[name] != actual:
            message = f"Provided {name} hash {expected[name]!r} does not match the calculated {actual!r}."
            raise StorageError(Reason.BAD_DIGEST, message)


def hashes_in_headers(headers: Headers) -> dict[str, str]:
    """The checksums that x-goog-hash and Content-MD5 announce."""
    hashes = {}
    for item in ",".join(headers.getlist("x-goog-hash")).split(","):
        name, separator, value = item.strip().partition("=")
        if separator and name in {"crc32c", "md5"}:
            hashes[name] = value
    if "content-md5" in headers:
        hashes["md5"] = headers["content-md5"]
    return hashes


def hashes_in_resource(resource: Mapping[str, Any]) -> dict[str, str]:
    """The checksums that an object's JSON announces."""
    pairs = {"crc32c": resource.get("crc32c"), "md5": resource.get("md5Hash")}
    return {name: value for name, value in pairs.items() if isinstance(value, str)}
