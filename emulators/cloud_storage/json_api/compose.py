"""How is an object put together from others?  Concatenated, 32 at a time, without sending bytes again."""

import asyncio
from contextlib import ExitStack
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from emulators.cloud_storage.calls import Calls
from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.json_api.partial import described
from emulators.cloud_storage.kept.names import check_object_name
from emulators.cloud_storage.kept.preconditions import Preconditions, json_preconditions
from emulators.cloud_storage.kept.records import Content, ObjectRecord, object_attributes
from emulators.cloud_storage.kept.store import Store
from emulators.cloud_storage.requests import body, number, origin, read_resource, section
from emulators.cloud_storage.resources import object_resource

_MOST_SOURCES = 32
_PIECE = 1 << 20


class Compositions:
    """The endpoint that composes."""

    def __init__(self, store: Store, calls: Calls) -> None:
        self._store = store
        self._calls = calls

    async def compose(self, request: Request, bucket: str, name: str) -> Response:
        """Concatenate objects of the bucket, if the request's token reaches all of them."""
        check_object_name(name)
        resource = read_resource(await body(request))
        entries = _entries(resource)
        sources = [check_object_name(entry.get("name")) for entry in entries]

        async def make() -> Response:
            return await self._compose(request, bucket, name, resource, entries)

        return await self._calls.compose(request, bucket, name, sources, make)

    async def _compose(
        self,
        request: Request,
        bucket: str,
        name: str,
        resource: dict[str, Any],
        entries: list[dict[str, Any]],
    ) -> Response:
        """The result has a crc32c and no md5."""
        if resource.get("deleteSourceObjects"):
            raise StorageError(Reason.UNSUPPORTED, "This emulator does not support deleteSourceObjects.")
        conditions = json_preconditions(request.query_params, {})
        sources = [self._source(bucket, entry) for entry in entries]
        attributes = _attributes(resource, sources)
        components = sum(source.components or 1 for source in sources)
        conditions.check(self._store.bucket(bucket).objects.get(name))
        content = await self._concatenated(sources)
        record = await self._store.put_object(bucket, name, content, attributes, conditions, components)
        return described(request, object_resource(record, origin(request)))

    def _source(self, bucket: str, entry: dict[str, Any]) -> ObjectRecord:
        generation = number(entry, "generation")
        record = self._store.object(bucket, entry["name"], None if generation is None else str(generation))
        expected = number(section(entry, "objectPreconditions"), "ifGenerationMatch")
        Preconditions(generation_match=expected).check(record)
        return record

    async def _concatenated(self, sources: list[ObjectRecord]) -> Content:
        with ExitStack() as open_files:
            # All are opened before anything else can happen, as a source may be deleted meanwhile.
            files = [open_files.enter_context(self._store.open(source.content)) for source in sources]
            writer = self._store.writer()
            try:
                for file in files:
                    while data := await asyncio.to_thread(file.read, _PIECE):
                        await writer.write(data)
                return await writer.finish(composed=True)
            except BaseException:
                writer.discard()
                raise


def _entries(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """The sources as the client names them, not yet looked for."""
    entries = resource.get("sourceObjects")
    if not entries:
        raise StorageError(Reason.REQUIRED, "You must provide at least one source component.")
    if not isinstance(entries, list) or len(entries) > _MOST_SOURCES:
        message = f"The number of source components provided exceeds the maximum ({_MOST_SOURCES})."
        raise StorageError(Reason.INVALID, message)
    if not all(isinstance(entry, dict) for entry in entries):
        raise StorageError(Reason.INVALID, "Each of the sourceObjects must be an object.")
    return entries


def _attributes(resource: dict[str, Any], sources: list[ObjectRecord]) -> dict[str, Any]:
    """The attributes of the result, in the class that all sources have."""
    classes = {source.storage_class for source in sources}
    attributes = object_attributes(section(resource, "destination"))
    if len(classes | {attributes.get("storageClass", sources[0].storage_class)}) > 1:
        message = "All source objects, and what is composed of them, must have the same storage class."
        raise StorageError(Reason.INVALID, message)
    return attributes | {"storageClass": sources[0].storage_class}
