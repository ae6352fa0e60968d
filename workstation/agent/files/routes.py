"""How does a client read, write and remove files? Streams in bounded memory; explains every refusal."""

import contextlib
import errno
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import unquote_to_bytes

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from agent.activity.model import Source
from agent.backup.failures import FULL, mebibytes
from agent.control.instance import Instance
from agent.errors import AgentError
from agent.files.beneath import LinkRefusedError, PathRefusedError
from agent.files.store import OpenFile, Upload, look, remove
from agent.relay.http import in_flight
from agent.threads import in_thread

PREFIX = b"/-/files/"
PIECE = 256 * 1024


class FileRoutes:
    """The files of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._root = instance.settings.workspace
        self._calls: dict[str, Callable[[Request, bytes], Awaitable[Response]]] = {
            "GET": self._get,
            "HEAD": self._get,
            "PUT": self._put,
            "DELETE": self._delete,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; raises AgentError."""
        request = Request(scope, receive)
        self._instance.admit(request.headers)
        call = self._calls.get(request.method)
        if call is None:
            allowed = {"Allow": ", ".join(self._calls)}
            raise AgentError(405, "files know GET, HEAD, PUT and DELETE", headers=allowed)
        path = _path(request)
        with in_flight(self._instance, Source.FILE), explained(path, self._root):
            answer = await call(request, path)
        await answer(scope, receive, send)

    async def _get(self, request: Request, path: bytes) -> Response:
        found = await in_thread(look, self._root, path)
        if not isinstance(found, OpenFile):
            return JSONResponse({"entries": found})
        headers = {
            "Content-Length": str(found.size),
            "Last-Modified": format_datetime(found.modified, usegmt=True),
            "Cache-Control": "no-store",
        }
        media_type = "application/octet-stream"
        if request.method == "HEAD":
            os.close(found.descriptor)
            return Response(headers=headers, media_type=media_type)
        return StreamingResponse(self._pieces(found), headers=headers, media_type=media_type)

    async def _pieces(self, found: OpenFile) -> AsyncIterator[bytes]:
        left = found.size
        with in_flight(self._instance, Source.FILE):
            try:
                while left and (piece := await in_thread(os.read, found.descriptor, min(left, PIECE))):
                    left -= len(piece)
                    yield piece
            finally:
                os.close(found.descriptor)

    async def _put(self, request: Request, path: bytes) -> Response:
        upload = await in_thread(Upload, self._root, path)
        try:
            size = await self._receive(request, upload)
            await in_thread(upload.commit)
        finally:
            await in_thread(upload.close)
        return JSONResponse({"size": size}, status_code=201 if upload.created else 200)

    async def _receive(self, request: Request, upload: Upload) -> int:
        size = 0
        refused: OSError | None = None
        try:
            async for piece in request.stream():
                size += len(piece)
                self._instance.touch(Source.FILE)
                # Read to its end all the same: most clients never see an answer that comes while they still send.
                refused = refused or await in_thread(_written, upload, piece)
        except ClientDisconnect as error:
            raise AgentError(400, "the upload broke off; the file is unchanged") from error
        if refused:
            raise refused
        return size

    async def _delete(self, request: Request, path: bytes) -> Response:
        recursive = request.query_params.get("recursive", "false")
        if recursive not in ("true", "false"):
            raise AgentError(400, "recursive must be true or false")
        await in_thread(remove, self._root, path, recursive=recursive == "true")
        return Response(status_code=204)


def _written(upload: Upload, piece: bytes) -> OSError | None:
    """Return why it could not be."""
    try:
        upload.write(piece)
    except OSError as error:
        return error
    return None


@contextlib.contextmanager
def explained(path: bytes, root: Path) -> Iterator[None]:
    """Turn what the file system refuses into an answer that says what to do."""
    name = path.decode("utf-8", "replace")
    try:
        yield
    except LinkRefusedError as error:
        raise AgentError(403, f"{name!r}: {error}") from error
    except PathRefusedError as error:
        raise AgentError(400, f"{name!r}: {error}") from error
    except IsADirectoryError as error:
        message = f"{name!r} is a directory; only DELETE with ?recursive=true takes a directory"
        raise AgentError(409, message) from error
    except OSError as error:
        raise _explain(error, name, root) from error


def _explain(error: OSError, name: str, root: Path) -> AgentError:
    if error.errno == errno.ENOENT:
        return AgentError(404, f"{name!r} does not exist in the workspace")
    if error.errno in FULL:
        return _full(name, root)
    if error.errno in (errno.EACCES, errno.EPERM):
        return AgentError(403, f"{name!r} cannot be reached with its present permissions")
    if error.errno in (errno.ENOTDIR, errno.ENAMETOOLONG, errno.ENXIO):
        return AgentError(400, f"{name!r} is not a usable path: {error.strerror}")
    return AgentError(500, f"{name!r}: the file system failed: {error.strerror}")


def _full(name: str, root: Path) -> AgentError:
    disk = shutil.disk_usage(root)
    used, limit = mebibytes(disk.used), mebibytes(disk.total)
    message = (
        f"the workspace is full, {used} of {limit} MiB are used; {name!r} is unchanged. "
        "Remove something, or take a larger size"
    )
    return AgentError(507, message, [{"reason": "NO_SPACE", "usedMib": used, "limitMib": limit}])


def _path(request: Request) -> bytes:
    """Return the path as the bytes that the client meant; the server's decoding would lose some."""
    raw: bytes = request.scope["raw_path"]
    decoded = unquote_to_bytes(raw)
    if not decoded.startswith(PREFIX):
        raise AgentError(400, "the path of a file begins with /-/files/, written plainly")
    return decoded[len(PREFIX) :]
