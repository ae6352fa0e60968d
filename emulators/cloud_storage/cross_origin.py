"""What may pages of other origins do?  What a signature lets anybody do, and see what the bucket's CORS lets them see.

A signature, a policy document and the address of an upload are rights by themselves, whoever holds them.  All other
requests are an owner's, and so not for pages.
"""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from emulators.cloud_storage.access.signed_urls import parse_query
from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.kept.names import CONTROL, decode, is_json, split_path
from emulators.cloud_storage.kept.store import Store
from emulators.cloud_storage.uploads.resumable import Uploads

_UPLOAD = b"/upload/storage/v1/b/"
_LISTS = ("method", "origin", "responseHeader")
_OF_SESSIONS: Mapping[str, Any] = {
    "method": ["PUT", "DELETE"],
    "responseHeader": ["Content-Range", "Content-Type", "Range", "X-GUploader-UploadID", "X-Goog-Hash"],
}
"""What the page that a session was started for may send, and see of the answers."""


def is_open(scope: Scope) -> bool:
    """Whether the request carries its own right, or has none at all: then it may come from any page."""
    raw_path: bytes = scope["raw_path"]
    query = dict(parse_query(scope["query_string"]))
    if raw_path.startswith(_UPLOAD):
        return _is_session(scope, query)
    if raw_path == b"/" or is_json(raw_path) or raw_path.startswith(CONTROL):
        return False
    # Without a signature an upload in parts is an owner's, as the stock client sends none.
    return "X-Goog-Signature" in query or query.keys().isdisjoint({"uploads", "uploadId"})


def _is_session(scope: Scope, query: Mapping[str, str]) -> bool:
    """Whether the request goes on with an upload by its address, or a program starts one for pages of an origin."""
    if scope["method"] == "POST":
        named_by_a_browser = any(name == b"sec-fetch-mode" for name, _ in scope["headers"])
        return query.get("uploadType") == "resumable" and not named_by_a_browser
    return "upload_id" in query and scope["method"] in ("PUT", "DELETE", "OPTIONS")


def check_cors(entries: object) -> None:
    """Raise unless this can be a bucket's ``cors``."""
    if not isinstance(entries, list) or not all(_is_entry(entry) for entry in entries):
        message = (
            "Invalid value for cors: a list of origin, method, responseHeader (lists) and maxAgeSeconds."
        )
        raise StorageError(Reason.INVALID, message)


class CrossOrigin:
    """What browsers are told, by bucket and by upload."""

    def __init__(self, store: Store, uploads: Uploads) -> None:
        self._store = store
        self._uploads = uploads

    def preflight(self, request: Request) -> Response:
        """The answer to what a browser asks before the request itself."""
        asked = request.headers.get("access-control-request-method", "")
        entry = self._entry(request, asked)
        if entry is None:
            return Response()
        headers = _allowed(entry, request) | {
            "Access-Control-Allow-Methods": ",".join(entry["method"]),
            "Access-Control-Allow-Headers": ",".join(entry.get("responseHeader", [])),
        }
        if "maxAgeSeconds" in entry:
            headers["Access-Control-Max-Age"] = str(entry["maxAgeSeconds"])
        return Response(headers=headers)

    def headers(self, request: Request) -> dict[str, str]:
        """What is added to an answer, a refusal included."""
        entry = self._entry(request, request.method)
        if entry is None:
            return {}
        exposed = {"Access-Control-Expose-Headers": ",".join(entry.get("responseHeader", []))}
        return _allowed(entry, request) | {name: text for name, text in exposed.items() if text}

    def _entry(self, request: Request, method: str) -> Mapping[str, Any] | None:
        """The first entry for this origin and method; that of its upload, where it was started for this origin."""
        origin = request.headers.get("origin")
        if origin is None:
            return None
        upload_id = request.query_params.get("upload_id", "")
        if method in _OF_SESSIONS["method"] and self._uploads.origin(upload_id) == origin:
            return {**_OF_SESSIONS, "origin": [origin]}
        bucket = self._store.buckets.get(_bucket(request.scope["raw_path"]))
        entries = [] if bucket is None else bucket.attributes.get("cors", [])
        return next((entry for entry in entries if _matches(entry, origin, method)), None)


def _bucket(raw_path: bytes) -> str:
    try:
        if raw_path.startswith(_UPLOAD):
            return split_path(raw_path)[4]
        return decode(raw_path[1:].partition(b"/")[0])
    except StorageError:
        return ""


def _matches(entry: Mapping[str, Any], origin: str, method: str) -> bool:
    origins, methods = entry.get("origin", []), entry.get("method", [])
    return ("*" in origins or origin in origins) and ("*" in methods or method in methods)


def _allowed(entry: Mapping[str, Any], request: Request) -> dict[str, str]:
    if "*" in entry["origin"]:
        return {"Access-Control-Allow-Origin": "*"}
    return {"Access-Control-Allow-Origin": request.headers["origin"], "Vary": "Origin"}


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, dict) or not entry.keys() <= {*_LISTS, "maxAgeSeconds"}:
        return False
    lists = [entry.get(name, []) for name in _LISTS]
    texts = all(isinstance(each, list) and all(_is_token(text) for text in each) for each in lists)
    seconds = entry.get("maxAgeSeconds", 0)
    return texts and isinstance(seconds, int) and not isinstance(seconds, bool) and seconds >= 0


def _is_token(text: object) -> bool:
    """Whether it can be told in a header."""
    return isinstance(text, str) and text.isascii() and text.isprintable()
