"""Which handler answers this request?  Chosen by method and raw path, with one place for refusals."""

import logging
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from emulators.cloud_storage.calls import Calls
from emulators.cloud_storage.cross_origin import CrossOrigin, is_open
from emulators.cloud_storage.failures import Reason, StorageError, json_response, xml_response
from emulators.cloud_storage.json_api.batches import Batches
from emulators.cloud_storage.json_api.buckets import JsonBuckets
from emulators.cloud_storage.json_api.compose import Compositions
from emulators.cloud_storage.json_api.copies import Copies
from emulators.cloud_storage.json_api.objects import JsonObjects
from emulators.cloud_storage.json_api.uploads import JsonUploads
from emulators.cloud_storage.kept.names import CONTROL, check_query, decode, is_json, split_path
from emulators.cloud_storage.kept.store import Store
from emulators.cloud_storage.requests import refuse_unsupported
from emulators.cloud_storage.uploads.resumable import Uploads
from emulators.cloud_storage.xml_api.objects import XmlObjects
from emulators.faults.gate import Dropped
from emulators.serving import HostCheck, cut

log = logging.getLogger(__name__)

Handler = Callable[..., Awaitable[Response]]
Table = list[tuple[str, tuple[str, ...], str, Handler]]
_OBJECT = "storage/v1/b/*/o/*"


class Router:
    """The table of the JSON API; every other path with two segments is an object of the XML API."""

    def __init__(
        self,
        store: Store,
        uploads: Uploads,
        calls: Calls,
        xml: XmlObjects,
        project: str,
        *,
        signed_only: bool = False,
    ) -> None:
        self._signed_only = signed_only
        self._calls = calls
        self._xml = xml
        self._cross_origin = CrossOrigin(store, uploads)
        received = JsonUploads(store, uploads, calls)
        batches = Batches(self)
        self._direct = _table(
            ("POST", "upload/storage/v1/b/*/o", "", received.upload),
            ("PUT", "upload/storage/v1/b/*/o", "", received.resume),
            ("DELETE", "upload/storage/v1/b/*/o", "", received.cancel),
            ("POST", f"{_OBJECT}/compose", "", Compositions(store, calls).compose),
            ("POST", "batch/storage/v1", "", batches.run),
            ("POST", "batch", "", batches.run),
        )
        self._methods = _methods(store, project)

    async def answer_page(self, request: Request) -> Response:
        """The same for what any page may ask, with what its browser has to know."""
        if request.method == "OPTIONS" and "origin" in request.headers:
            return self._cross_origin.preflight(request)
        response = await self.answer(request)
        response.headers.update(self._cross_origin.headers(request))
        return response

    async def answer(self, request: Request) -> Response:
        """The answer, a refusal included; raises Dropped when there is to be none."""
        raw_path: bytes = request.scope["raw_path"]
        refusal = json_response if is_json(raw_path) else xml_response
        try:
            return await self._answer(request, raw_path)
        except StorageError as error:
            return refusal(error)
        except ClientDisconnect:
            return Response(status_code=Reason.UPLOAD_CANCELLED.status)
        except Dropped:
            raise
        except Exception as error:
            log.exception("%s %s failed", request.method, raw_path)
            message = f"The emulator failed: {error!r}. Its log has the traceback."
            return refusal(StorageError(Reason.UNSUPPORTED, message))

    async def _answer(self, request: Request, raw_path: bytes) -> Response:
        if raw_path == b"/":
            return PlainTextResponse("Ok")
        check_query(request.scope["query_string"])
        refuse_unsupported(request)
        if is_json(raw_path):
            if self._signed_only:
                raise StorageError(Reason.DENIED, "Only signed URLs are served here.")
            return await self._answer_json(request, split_path(raw_path))
        bucket, _, name = raw_path.removeprefix(b"/").partition(b"/")
        return await self._xml.answer(request, decode(bucket), decode(name))

    async def _answer_json(self, request: Request, segments: list[str]) -> Response:
        if (found := _find(self._direct, request.method, segments)) is not None:
            _, handler, names = found
            return await handler(request, *names)
        if (found := _find(self._methods, request.method, segments)) is None:
            message = f"This emulator does not do {request.method} {'/'.join(segments)}."
            raise StorageError(Reason.UNSUPPORTED, message)
        method, handler, names = found
        bucket, name, *rest = (*names, "", "")
        # A move stays in its bucket; every other copy names the one it goes to.
        copy_to = [bucket, rest[0]] if method == "storage.objects.move" else rest[:2]
        return await self._calls.make(
            request, method, bucket, name, lambda: handler(request, *names), *copy_to
        )


def _methods(store: Store, project: str) -> Table:
    """The methods of the JSON API, by verb and path, each under the name of its discovery document."""
    objects, buckets, copies = JsonObjects(store), JsonBuckets(store, project), Copies(store)
    return _table(
        ("GET", "storage/v1/b", "storage.buckets.list", buckets.list),
        ("POST", "storage/v1/b", "storage.buckets.insert", buckets.create),
        ("GET", "storage/v1/b/*", "storage.buckets.get", buckets.get),
        ("PATCH", "storage/v1/b/*", "storage.buckets.patch", buckets.patch),
        ("PUT", "storage/v1/b/*", "storage.buckets.update", buckets.update),
        ("DELETE", "storage/v1/b/*", "storage.buckets.delete", buckets.delete),
        ("GET", "storage/v1/b/*/o", "storage.objects.list", objects.list),
        ("GET", _OBJECT, "storage.objects.get", objects.get),
        ("PATCH", _OBJECT, "storage.objects.patch", objects.patch),
        ("PUT", _OBJECT, "storage.objects.update", objects.update),
        ("DELETE", _OBJECT, "storage.objects.delete", objects.delete),
        ("GET", f"download/{_OBJECT}", "storage.objects.get", objects.download),
        ("POST", f"{_OBJECT}/restore", "storage.objects.restore", objects.restore),
        ("POST", f"{_OBJECT}/rewriteTo/b/*/o/*", "storage.objects.rewrite", copies.rewrite),
        ("POST", f"{_OBJECT}/copyTo/b/*/o/*", "storage.objects.copy", copies.copy),
        ("POST", f"{_OBJECT}/moveTo/o/*", "storage.objects.move", copies.move),
    )


def _table(*rows: tuple[str, str, str, Handler]) -> Table:
    return [(verb, tuple(path.split("/")), method, handler) for verb, path, method, handler in rows]


def _find(table: Table, verb: str, segments: list[str]) -> tuple[str, Handler, list[str]] | None:
    """The method's name and handler, and what the path names."""
    for of_verb, pattern, method, handler in table:
        names = _matched(pattern, segments) if of_verb == verb else None
        if names is not None:
            return method, handler, names
    return None


def _matched(pattern: tuple[str, ...], segments: list[str]) -> list[str] | None:
    """What stands in the place of the stars, if the path is of the pattern."""
    if len(pattern) != len(segments):
        return None
    pairs = list(zip(pattern, segments, strict=True))
    if any(part not in ("*", segment) for part, segment in pairs):
        return None
    return [segment for part, segment in pairs if part == "*"]


def application(
    router: Router, control: ASGIApp | None = None, start: Callable[[], None] | None = None
) -> ASGIApp:
    """What is served on a port; `control` answers for the clock and the faults, `start` is called at first."""

    async def owners(scope: Scope, receive: Receive, send: Send) -> None:
        if control is not None and scope["raw_path"].startswith(CONTROL):
            await control(scope, receive, send)
        else:
            await _respond(router.answer, scope, receive, send)

    guarded = HostCheck(owners)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send, start)
        elif scope["type"] == "http" and is_open(scope):
            await _respond(router.answer_page, scope, receive, send)
        else:
            await guarded(scope, receive, send)

    return app


async def _respond(
    answer: Callable[[Request], Awaitable[Response]], scope: Scope, receive: Receive, send: Send
) -> None:
    request = Request(scope, receive)
    try:
        response = await answer(request)
    except Dropped:
        response = cut(request)
    await response(scope, receive, send)


async def _lifespan(receive: Receive, send: Send, start: Callable[[], None] | None) -> None:
    """What takes its time begins with the loop; the store was loaded before."""
    await receive()
    if start is not None:
        start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
