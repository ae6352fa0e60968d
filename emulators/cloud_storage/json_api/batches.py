"""Many calls in one request: ``multipart/mixed``, each part a request of the JSON API, answered in their order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser, HeaderParser
from typing import Protocol
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message as Event

from emulators.cloud_storage.failures import Reason, StorageError, json_response
from emulators.cloud_storage.requests import body

MOST_CALLS = 1000
"""The documentation says 100 in one place and the stock client sends up to so many."""
_MOST_BYTES = 10 << 20
_REQUEST_LINE = re.compile(r"(?P<verb>[A-Z]+) (?P<target>\S+) HTTP/1\.\d", re.ASCII)
_JSON_ROOT = "/storage/v1/"
_OUTER_ONLY = ("content-length", "content-type", "content-transfer-encoding", "host", "transfer-encoding")


class Answers(Protocol):
    """Whatever answers single requests."""

    async def answer(self, request: Request) -> Response:
        """The answer, a refusal included."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One request in a batch."""

    id: str
    verb: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Batches:
    """The endpoint ``/batch/storage/v1``."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def run(self, request: Request) -> Response:
        """Make the calls one after another; each succeeds or fails on its own."""
        calls = _parse(request.headers.get("content-type", ""), await body(request, _MOST_BYTES))
        parts = [_part(call, await self._answer(request, call)) for call in calls]
        boundary = f"batch_{uuid4().hex}"
        lines = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
        content = lines + b"--" + boundary.encode() + b"--\r\n"
        return Response(content, media_type=f"multipart/mixed; boundary={boundary}")

    async def _answer(self, outer: Request, call: _Call) -> Response:
        target = urlsplit(call.target)
        if not target.path.startswith(_JSON_ROOT) or QueryParams(target.query).get("alt") == "media":
            message = "A batch takes calls of the JSON API, but no uploads and no downloads."
            return json_response(StorageError(Reason.INVALID, message))
        return await self._answers.answer(_inner(outer, call, target.path, target.query))


def _inner(outer: Request, call: _Call, path: str, query: str) -> Request:
    """The call as if it had come alone; headers of the batch hold for each, unless it has its own."""
    own = {name.lower() for name, _ in call.headers}
    kept = [(n, v) for n, v in outer.headers.items() if n not in own and n not in _OUTER_ONLY]
    headers = Headers(
        raw=[
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in (*kept, *call.headers, ("host", outer.headers["host"]))
        ]
    )
    scope = dict(outer.scope) | {
        "method": call.verb,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": headers.raw,
    }

    async def receive() -> Event:
        return {"type": "http.request", "body": call.body, "more_body": False}

    return Request(scope, receive)


def _parse(content_type: str, data: bytes) -> list[_Call]:
    head = f"Content-Type: {content_type}\r\nMIME-Version: 1.0\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser().parsebytes(head + data)
    parts = message.get_payload()
    if message.get_content_type() != "multipart/mixed" or not isinstance(parts, list) or not parts:
        raise StorageError(Reason.INVALID, "A batch must be multipart/mixed, with at least one part.")
    if len(parts) > MOST_CALLS:
        raise StorageError(Reason.INVALID, f"A batch may hold {MOST_CALLS} calls, but has {len(parts)}.")
    return [_call(part) for part in parts if isinstance(part, Message)]


def _call(part: Message) -> _Call:
    payload = part.get_payload(decode=True)
    if part.get_content_type() != "application/http" or not isinstance(payload, bytes):
        raise StorageError(Reason.INVALID, "Each part of a batch must be application/http.")
    head, _, content = payload.replace(b"\r\n", b"\n").partition(b"\n\n")
    line, _, headers = head.decode("latin-1").lstrip().partition("\n")
    match = _REQUEST_LINE.fullmatch(line.strip()) or re.fullmatch(
        r"(?P<verb>[A-Z]+) (?P<target>\S+)", line.strip()
    )
    if match is None:
        raise StorageError(Reason.INVALID, f"A part of the batch begins with {line!r}, not with a request.")
    parsed = tuple((name, str(value)) for name, value in HeaderParser().parsestr(headers).items())
    return _Call(part.get("Content-ID", ""), match["verb"], match["target"], parsed, content)


def _part(call: _Call, response: Response) -> bytes:
    head = ["Content-Type: application/http"]
    if call.id:
        head.append(f"Content-ID: {_answer_id(call.id)}")
    lines = [*head, "", f"HTTP/1.1 {response.status_code} {_phrase(response.status_code)}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + bytes(response.body)


def _answer_id(call_id: str) -> str:
    """The id of a part, marked as the answer's."""
    return f"<response-{call_id.removeprefix('<')}" if call_id.startswith("<") else f"response-{call_id}"


def _phrase(status: int) -> str:
    return "OK" if status < 300 else "Error"
