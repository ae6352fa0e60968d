"""How do objects come from objects?  Copy, rewrite, move and compose, without sending bytes again."""

import asyncio
from contextlib import ExitStack
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.names import check_object_name
from emulators.cloud_storage.preconditions import Preconditions, json_preconditions, source_preconditions
from emulators.cloud_storage.records import Content, ObjectRecord, object_attributes
from emulators.cloud_storage.requests import body, number, origin, read_resource, section
from emulators.cloud_storage.resources import object_resource
from emulators.cloud_storage.store import Store

_MOST_SOURCES = 32
_PIECE = 1 << 20


class Copies:
    """The endpoints that make objects of objects."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def rewrite(self, request: Request, *names: str) -> Response:
        """Copy; always done in one call."""
        record, _ = await self._copy(request, *names)
        size = str(record.content.size)
        return JSONResponse(
            {
                "kind": "storage#rewriteResponse",
                "totalBytesRewritten": size,
                "objectSize": size,
                "done": True,
                "resource": object_resource(record, origin(request)),
            }
        )

    async def copy(self, request: Request, *names: str) -> Response:
        """Copy, answering with the new object."""
        record, _ = await self._copy(request, *names)
        return JSONResponse(object_resource(record, origin(request)))

    async def move(self, request: Request, bucket: str, name: str, new_name: str) -> Response:
        """Rename within a bucket."""
        record, source = await self._copy(request, bucket, name, bucket, new_name)
        # Nobody's later content may be removed in place of what was copied.
        await self._store.delete_object(bucket, name, str(source.generation), Preconditions())
        return JSONResponse(object_resource(record, origin(request)))

    async def compose(self, request: Request, bucket: str, name: str) -> Response:
        """Concatenate objects of the bucket."""
        check_object_name(name)
        resource = read_resource(await body(request))
        attributes = object_attributes(section(resource, "destination"))
        conditions = json_preconditions(request.query_params, {})
        sources = self._sources(bucket, resource)
        components = sum(source.components or 1 for source in sources)
        content = await self._concatenated(sources)
        record = await self._store.put_object(bucket, name, content, attributes, conditions, components)
        return JSONResponse(object_resource(record, origin(request)))

    async def _copy(
        self, request: Request, bucket: str, name: str, new_bucket: str, new_name: str
    ) -> tuple[ObjectRecord, ObjectRecord]:
        """The new object, and the one it was copied from."""
        query = request.query_params
        resource = read_resource(await body(request))
        check_object_name(new_name)
        self._store.bucket(new_bucket)
        source = self._store.object(bucket, name, query.get("sourceGeneration"))
        source_preconditions(query).check(source)
        attributes = object_attributes(resource) if resource else source.attributes
        conditions = json_preconditions(query, {})
        content = self._store.copy(source.content)
        record = await self._store.put_object(
            new_bucket, new_name, content, attributes, conditions, source.components
        )
        return record, source

    def _sources(self, bucket: str, resource: dict[str, Any]) -> list[ObjectRecord]:
        entries = resource.get("sourceObjects")
        if not isinstance(entries, list) or not 1 <= len(entries) <= _MOST_SOURCES:
            message = f"Compose takes from 1 to {_MOST_SOURCES} sourceObjects."
            raise StorageError(Reason.INVALID, message)
        return [self._source(bucket, entry) for entry in entries]

    def _source(self, bucket: str, entry: object) -> ObjectRecord:
        if not isinstance(entry, dict):
            raise StorageError(Reason.INVALID, "Each of the sourceObjects must be an object.")
        generation = number(entry, "generation")
        record = self._store.object(
            bucket, check_object_name(entry.get("name")), None if generation is None else str(generation)
        )
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
