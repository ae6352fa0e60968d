"""May this token be exchanged for a narrower one?  The Security Token Service, as far as downscoping needs it."""

import json
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emulators.boundaries.boundary import BadBoundaryError, Boundary
from emulators.identity.tokens import InvalidTokenError, TokenIssuer

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a type, not a token
_MAX_REQUEST_BYTES = 1 << 18


class TokenExchange:
    """The endpoint ``/v1/token`` of sts.googleapis.com."""

    def __init__(self, issuer: TokenIssuer) -> None:
        self._issuer = issuer

    async def exchange(self, request: Request) -> Response:
        """Give a token of the same account and the same end that is held to a Credential Access Boundary."""
        form = await _form(request)
        if (problem := _problem(form)) is not None:
            return _refused("invalid_request", problem)
        try:
            boundary = _boundary(form.get("options", ""))
        except BadBoundaryError as error:
            return _refused("invalid_request", f"Invalid access boundary: {error}.")
        try:
            token, seconds = self._issuer.downscoped_token(form["subject_token"], boundary)
        except InvalidTokenError as error:
            return _refused("invalid_grant", f"The subject token is not valid: {error}")
        return JSONResponse(
            {
                "access_token": token,
                "issued_token_type": ACCESS_TOKEN_TYPE,
                "token_type": "Bearer",
                "expires_in": seconds,
            }
        )


async def _form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_REQUEST_BYTES:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def _problem(form: dict[str, str]) -> str | None:
    for name, wanted in (
        ("grant_type", GRANT_TYPE),
        ("requested_token_type", ACCESS_TOKEN_TYPE),
        ("subject_token_type", ACCESS_TOKEN_TYPE),
    ):
        if form.get(name) != wanted:
            return f"{name} must be {wanted}."
    return None if form.get("subject_token") else "subject_token is missing."


def _boundary(options: str) -> object:
    """The boundary as JSON, checked; the stock client percent-encodes it once more than the form does."""
    try:
        document = json.loads(unquote(options))
    except (ValueError, RecursionError) as error:
        raise BadBoundaryError(f"options must be JSON: {error}") from error
    Boundary.parse(document)
    return document


def _refused(error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, 400)
