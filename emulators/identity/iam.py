"""Which keys are published, and who may sign with an account's key?

An account signs with its own key only; there are no roles here that would let one act as another.
"""

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from emulators.errors import EXCEPTION_HANDLERS, ApiError, Code
from emulators.faults.gate import Dropped, FaultGate
from emulators.identity.keys import KeyRing, SigningKey
from emulators.identity.sts import TokenExchange
from emulators.identity.tokens import CLOUD_PLATFORM, Grant, InvalidTokenError, TokenIssuer
from emulators.serving import HostCheck, cut, ready

Endpoint = Callable[[Request], Awaitable[Response]]
_SIGNING_SCOPES = {CLOUD_PLATFORM, "https://www.googleapis.com/auth/iam"}
_CACHEABLE = {"Cache-Control": "public, max-age=3600, must-revalidate"}
_MAX_REQUEST_BYTES = 1 << 20


class Iam:
    """The endpoints for keys, signatures and tokens."""

    def __init__(self, keys: KeyRing, issuer: TokenIssuer, gate: FaultGate) -> None:
        self._keys = keys
        self._issuer = issuer
        self._gate = gate

    def application(self) -> ASGIApp:
        """The application that serves them."""
        sign_blob = self._gated("iamcredentials.projects.serviceAccounts.signBlob", self.sign_blob)
        exchange = self._gated("sts.token", TokenExchange(self._issuer).exchange)
        routes = [
            Route("/", ready),
            Route("/oauth2/v3/certs", self.json_web_keys),
            Route("/oauth2/v1/certs", self.certificates),
            Route("/emulator/v1/accessTokenCerts", self.access_token_keys),
            Route("/robot/v1/metadata/x509/{email}", self.account_certificates),
            Route("/v1/projects/-/serviceAccounts/{email}:signBlob", sign_blob, methods=["POST"]),
            Route("/v1/token", exchange, methods=["POST"]),
            Route("/tokeninfo", self.token_info, methods=["GET", "POST"]),
        ]
        return Starlette(
            routes=routes, middleware=[Middleware(HostCheck)], exception_handlers=EXCEPTION_HANDLERS
        )

    async def json_web_keys(self, _request: Request) -> Response:
        """Google's keys for ID tokens, as a JWKS."""
        return JSONResponse({"keys": [self._keys.id_tokens.jwk]}, headers=_CACHEABLE)

    async def certificates(self, _request: Request) -> Response:
        """Google's keys for ID tokens, as certificates."""
        key = self._keys.id_tokens
        return JSONResponse({key.id: key.certificate}, headers=_CACHEABLE)

    async def access_token_keys(self, _request: Request) -> Response:
        """The keys for access tokens, which Google keeps to itself: for other emulators."""
        return JSONResponse({"keys": [self._keys.access_tokens.jwk]}, headers=_CACHEABLE)

    async def account_certificates(self, request: Request) -> Response:
        """The keys that verify an account's signBlob."""
        email = request.path_params["email"]
        key = self._keys.accounts.get(email)
        if key is None:
            raise ApiError(Code.NOT_FOUND, f"There is no service account {email}.")
        return JSONResponse({key.id: key.certificate}, headers=_CACHEABLE)

    async def sign_blob(self, request: Request) -> Response:
        """Sign with the account's key."""
        key = self._signing_key(self._caller(request), request.path_params["email"])
        payload = await _payload(request)
        return JSONResponse({"keyId": key.id, "signedBlob": b64encode(key.sign(payload)).decode()})

    async def token_info(self, request: Request) -> Response:
        """What an access token says."""
        try:
            grant = self._issuer.verify_access_token(request.query_params.get("access_token", ""))
        except InvalidTokenError:
            body = {"error": "invalid_token", "error_description": "Invalid Value"}
            return JSONResponse(body, 400)
        return JSONResponse(
            {
                "azp": grant.unique_id,
                "aud": grant.unique_id,
                "scope": " ".join(grant.scopes),
                "exp": str(grant.expires),
                "email": grant.email,
                "email_verified": "true",
                "access_type": "online",
            }
        )

    def _gated(self, method: str, endpoint: Endpoint) -> Endpoint:
        """The endpoint with the faults of its method on the way in and out."""

        async def answer(request: Request) -> Response:
            account = request.path_params.get("email", "")
            try:
                return await self._gate.around(method, account, lambda: endpoint(request))
            except Dropped:
                return cut(request)

        return answer

    def _caller(self, request: Request) -> Grant:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise ApiError(Code.UNAUTHENTICATED, "The request needs an Authorization: Bearer access token.")
        try:
            return self._issuer.verify_access_token(token.strip())
        except InvalidTokenError as error:
            raise ApiError(Code.UNAUTHENTICATED, f"The access token is not valid: {error}") from error

    def _signing_key(self, caller: Grant, email: str) -> SigningKey:
        key = self._keys.accounts.get(email)
        if key is None or caller.email != email:
            message = (
                f"Permission 'iam.serviceAccounts.signBlob' denied to {caller.email} on {email}"
                " (or it may not exist). An account may sign as itself only."
            )
            raise ApiError(Code.PERMISSION_DENIED, message)
        if caller.is_downscoped:
            raise ApiError(Code.PERMISSION_DENIED, "A downscoped token holds for Cloud Storage alone.")
        if _SIGNING_SCOPES.isdisjoint(caller.scopes):
            message = f"The access token lacks the scope {CLOUD_PLATFORM}. Ask for it when refreshing."
            raise ApiError(Code.PERMISSION_DENIED, message)
        return key


async def _payload(request: Request) -> bytes:
    """The bytes to sign; their encoding may be either base64 alphabet, as in proto JSON."""
    try:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_REQUEST_BYTES:
                raise ValueError(f"the body is larger than {_MAX_REQUEST_BYTES} bytes")
        text = json.loads(body)["payload"]
        return b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, RecursionError) as error:
        message = f'The body must be {{"payload": "<base64>"}}: {error!r}.'
        raise ApiError(Code.INVALID_ARGUMENT, message) from error
