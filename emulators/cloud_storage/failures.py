"""How does Cloud Storage say no?  Each refusal in the words of both of its APIs, JSON and XML.

There is no 5xx but 501, unless a fault is asked for: the clients would retry it for two minutes.
"""

from enum import Enum
from xml.sax.saxutils import escape

from starlette.responses import JSONResponse, Response

from emulators.errors import ApiError


class Reason(Enum):
    """Why a request is refused: HTTP status, the JSON API's reason, the XML API's code."""

    NOT_MODIFIED = (304, "notModified", "NotModified")
    INVALID = (400, "invalid", "InvalidArgument")
    REQUIRED = (400, "required", "InvalidArgument")
    BAD_DIGEST = (400, "invalid", "BadDigest")
    TOO_LARGE = (400, "uploadTooLarge", "EntityTooLarge")
    TOO_SMALL = (400, "uploadTooSmall", "EntityTooSmall")
    EXPIRED = (400, "expired", "ExpiredToken")
    BAD_POLICY = (400, "invalid", "InvalidPolicyDocument")
    BAD_PART = (400, "invalid", "InvalidPart")
    BAD_PARTS = (400, "invalid", "InvalidPartOrder")
    MALFORMED_XML = (400, "invalid", "MalformedXML")
    MALFORMED_SIGNATURE = (400, "invalid", "AuthenticationQueryParametersError")
    UNAUTHENTICATED = (401, "authError", "AuthenticationRequired")
    DENIED = (403, "forbidden", "AccessDenied")
    HELD = (403, "forbidden", "ObjectUnderActiveHold")
    SIGNATURE = (403, "forbidden", "SignatureDoesNotMatch")
    NO_ROUTE = (404, "notFound", "NotFound")
    NO_BUCKET = (404, "notFound", "NoSuchBucket")
    NO_OBJECT = (404, "notFound", "NoSuchKey")
    NO_UPLOAD = (404, "notFound", "NoSuchUpload")
    BUCKET_EXISTS = (409, "conflict", "BucketAlreadyOwnedByYou")
    BUCKET_NOT_EMPTY = (409, "conflict", "BucketNotEmpty")
    CONFLICT = (409, "conflict", "OperationAborted")
    GONE = (410, "gone", "Gone")
    PRECONDITION = (412, "conditionNotMet", "PreconditionFailed")
    RANGE = (416, "requestedRangeNotSatisfiable", "InvalidRange")
    SLOW_DOWN = (429, "rateLimitExceeded", "SlowDown")
    UPLOAD_CANCELLED = (499, "clientClosedRequest", "ClientClosedRequest")
    INTERNAL = (500, "internalError", "InternalError")
    UNSUPPORTED = (501, "notImplemented", "NotImplemented")
    UNAVAILABLE = (503, "backendError", "ServiceUnavailable")
    DEADLINE = (504, "backendError", "GatewayTimeout")

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


def of_fault(error: ApiError) -> StorageError:
    """The refusal that a fault asks for, in this API's words."""
    reasons = {
        400: Reason.INVALID,
        401: Reason.UNAUTHENTICATED,
        403: Reason.DENIED,
        404: Reason.NO_OBJECT,
        409: Reason.CONFLICT,
        429: Reason.SLOW_DOWN,
        500: Reason.INTERNAL,
        503: Reason.UNAVAILABLE,
        504: Reason.DEADLINE,
    }
    return StorageError(reasons.get(error.code.http, Reason.UNSUPPORTED), error.message)


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
    parts = (("Code", error.reason.xml_code), ("Message", error.message), ("Details", error.message))
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in parts)
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error>{inner}</Error>"
    return Response(body, error.reason.status, error.headers, "application/xml; charset=UTF-8")
