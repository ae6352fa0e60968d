"""Which handler answers this request?  Chosen by method and raw path, with one place for refusals."""

import logging
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from emulators.cloud_storage.copies import Copies
from emulators.cloud_storage.failures import Reason, StorageError, json_response, xml_response
from emulators.cloud_storage.json_buckets import JsonBuckets
from emulators.cloud_storage.json_objects import JsonObjects
from emulators.cloud_storage.names import decode, split_path
from emulators.cloud_storage.requests import refuse_unsupported
from emulators.cloud_storage.resumable import Uploads
from emulators.cloud_storage.signers import Signers
from emulators.cloud_storage.store import Store
from emulators.cloud_storage.xml_objects import XmlObjects
from emulators.serving import HostCheck

log = logging.getLogger(__name__)

Handler = Callable[..., Awaitable[Response]]
_JSON_ROOTS = (b"/storage/v1/", b"/upload/storage/v1/", b"/download/storage/v1/", b"/batch/")


class Router:
    """The table of the JSON API; every other path with two segments is an object of the XML API."""

    def __init__(
        self, store: Store, uploads: Uploads, signers: Signers, project: str, *, signed_only: bool = False
    ) -> None:
        self._signed_only = signed_only
        objects, buckets, copies = JsonObjects(store, uploads), JsonBuckets(store, project), Copies(store)
        self._xml = XmlObjects(store, uploads, signers)
        one = "storage/v1/b/*/o/*"
        self._routes: dict[tuple[str, tuple[str, ...]], Handler] = {
            (method, tuple(pattern.split("/"))): handler
            for method, pattern, handler in (
                ("GET", "storage/v1/b", buckets.list),
                ("POST", "storage/v1/b", buckets.create),
                ("GET", "storage/v1/b/*", buckets.get),
                ("PATCH", "storage/v1/b/*", buckets.patch),
                ("PUT", "storage/v1/b/*", buckets.update),
                ("DELETE", "storage/v1/b/*", buckets.delete),
                ("GET", "storage/v1/b/*/o", objects.list),
                ("GET", one, objects.get),
                ("PATCH", one, objects.patch),
                ("PUT", one, objects.update),
                ("DELETE", one, objects.delete),
                ("GET", f"download/{one}", objects.download),
                ("POST", "upload/storage/v1/b/*/o", objects.upload),
                ("PUT", "upload/storage/v1/b/*/o", objects.resume),
                ("DELETE", "upload/storage/v1/b/*/o", objects.cancel),
                ("POST", f"{one}/compose", copies.compose),
                ("POST", f"{one}/rewriteTo/b/*/o/*", copies.rewrite),
                ("POST", f"{one}/copyTo/b/*/o/*", copies.copy),
                ("POST", f"{one}/moveTo/o/*", copies.move),
            )
        }

    async def answer(self, request: Request) -> Response:
        """The answer, a refusal included."""
        raw_path: bytes = request.scope["raw_path"]
        refusal = json_response if raw_path.startswith(_JSON_ROOTS) else xml_response
        try:
            return await self._answer(request, raw_path)
        except StorageError as error:
            return refusal(error)
        except ClientDisconnect:
            return Response(status_code=Reason.UPLOAD_CANCELLED.status)
        except Exception as error:
            log.exception("%s %s failed", request.method, raw_path)
            message = f"The emulator failed: {error!r}. Its log has the traceback."
            return refusal(StorageError(Reason.UNSUPPORTED, message))

    async def _answer(self, request: Request, raw_path: bytes) -> Response:
        if raw_path == b"/":
            return PlainTextResponse("Ok")
        refuse_unsupported(request)
        if raw_path.startswith(_JSON_ROOTS):
            if self._signed_only:
                raise StorageError(Reason.DENIED, "Only signed URLs are served here.")
            return await self._answer_json(request, split_path(raw_path))
        bucket, separator, name = raw_path.removeprefix(b"/").partition(b"/")
        if not separator or not name:
            raise StorageError(Reason.UNSUPPORTED, "This emulator has no XML API for buckets.")
        return await self._xml.answer(request, decode(bucket), decode(name))

    async def _answer_json(self, request: Request, segments: list[str]) -> Response:
        for (method, pattern), handler in self._routes.items():
            names = _matched(pattern, segments)
            if names is not None and method == request.method:
                return await handler(request, *names)
        message = f"This emulator does not do {request.method} {'/'.join(segments)}."
        raise StorageError(Reason.UNSUPPORTED, message)


def _matched(pattern: tuple[str, ...], segments: list[str]) -> list[str] | None:
    """What stands in the place of the stars, if the path is of the pattern."""
    if len(pattern) != len(segments):
        return None
    pairs = list(zip(pattern, segments, strict=True))
    if any(part not in ("*", segment) for part, segment in pairs):
        return None
    return [segment for part, segment in pairs if part == "*"]


def application(router: Router) -> ASGIApp:
    """What is served on a port."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        request = Request(scope, receive)
        response = await router.answer(request)
        await response(scope, receive, send)

    return HostCheck(app)


async def _lifespan(receive: Receive, send: Send) -> None:
    """There is nothing to start: the store was loaded before."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
