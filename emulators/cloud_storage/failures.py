"""How does Cloud Storage say no?  Each refusal in the words of both of its APIs, JSON and XML.

There is no 5xx but 501: the clients would retry it for two minutes.
"""

from enum import Enum
from xml.sax.saxutils import escape

from starlette.responses import JSONResponse, Response


class Reason(Enum):
    """Why a request is refused: HTTP status, the JSON API's reason, the XML API's code."""

    NOT_MODIFIED = (304, "notModified", "NotModified")
    INVALID = (400, "invalid", "InvalidArgument")
    BAD_DIGEST = (400, "invalid", "BadDigest")
    TOO_LARGE = (400, "uploadTooLarge", "EntityTooLarge")
    TOO_SMALL = (400, "uploadTooSmall", "EntityTooSmall")
    EXPIRED = (400, "expired", "ExpiredToken")
    MALFORMED_SIGNATURE = (400, "invalid", "AuthenticationQueryParametersError")
    DENIED = (403, "forbidden", "AccessDenied")
    SIGNATURE = (403, "forbidden", "SignatureDoesNotMatch")
    NO_ROUTE = (404, "notFound", "NotFound")
    NO_BUCKET = (404, "notFound", "NoSuchBucket")
    NO_OBJECT = (404, "notFound", "NoSuchKey")
    NO_UPLOAD = (404, "notFound", "NoSuchUpload")
    BUCKET_EXISTS = (409, "conflict", "BucketAlreadyOwnedByYou")
    BUCKET_NOT_EMPTY = (409, "conflict", "BucketNotEmpty")
    PRECONDITION = (412, "conditionNotMet", "PreconditionFailed")
    RANGE = (416, "requestedRangeNotSatisfiable", "InvalidRange")
    UPLOAD_CANCELLED = (499, "clientClosedRequest", "ClientClosedRequest")
    UNSUPPORTED = (501, "notImplemented", "NotImplemented")

    def __init__(self, status: int, json_reason: str, xml_code: str) -> None:
        self.status = status
        self.json_reason = json_reason
        self.xml_code = xml_code


class StorageError(Exception):
    """A refusal that the client is told about."""

    def __init__(self, reason: Reason, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.headers = headers or {}


def json_response(error: StorageError) -> Response:
    """The refusal as the JSON API writes it."""
    if error.reason is Reason.NOT_MODIFIED:
        return Response(status_code=304, headers=error.headers)
    detail = {"message": error.message, "domain": "global", "reason": error.reason.json_reason}
    body = {"error": {"code": error.reason.status, "message": error.message, "errors": [detail]}}
    return JSONResponse(body, error.reason.status, error.headers)


def xml_response(error: StorageError) -> Response:
    """The refusal as the XML API writes it."""
    if error.reason is Reason.NOT_MODIFIED:
        return Response(status_code=304, headers=error.headers)
    body = (
        "<?xml version='1.0' encoding='UTF-8'?>"
        f"<Error><Code>{error.reason.xml_code}</Code><Message>{escape(error.message)}</Message></Error>"
    )
    return Response(body, error.reason.status, error.headers, "application/xml; charset=UTF-8")
