"""Who may invoke a service? Whoever may by its policy, and shows a Google ID token for its address where that is needed.

The answers are Cloud Run's: 403 without a token, 401 for one that does not hold, 403 for somebody else's. A service that
everybody may invoke is not asked whose token a request has: it may be the service's own affair.
"""

from __future__ import annotations

from emulators.cloud_run.access import Access
from emulators.cloud_run.front.heads import Request
from emulators.cloud_run.front.refusals import Refusal
from emulators.cloud_run.front.tokens import Tokens

SERVERLESS_HEADER = b"x-serverless-authorization"


class Invokers:
    """The IAM check in front of every service; where no token can be verified everybody may invoke."""

    def __init__(self, tokens: Tokens, access: Access) -> None:
        self._tokens = tokens
        self._access = access

    async def admit(self, request: Request, service_id: str, audience: str) -> Request:
        """The request as the container may see it; Refusal 401 or 403."""
        ago = self._access.behind(service_id)
        if not self._tokens.can_tell or self._access.may_invoke(service_id, None, ago):
            return request.without(SERVERLESS_HEADER)
        serverless = request.values(SERVERLESS_HEADER)
        token = _bearer(serverless or request.values(b"authorization"))
        caller = await self._tokens.verify(token, audience)
        if not self._access.may_invoke(service_id, caller, ago):
            raise Refusal(
                403,
                f"'{caller.email}' may not invoke this service; grant {caller.member} roles/run.invoker in its policy, "
                "or start the emulator with --invoker. Groups, conditions and custom roles grant nothing here.",
            )
        return request.without(SERVERLESS_HEADER) if serverless else _without_signature(request, token)


def _bearer(values: list[bytes]) -> str:
    scheme, _, token = (values[0] if len(values) == 1 else b"").partition(b" ")
    if scheme.lower() != b"bearer" or not token:
        raise Refusal(
            403,
            "The request was not authenticated. Send a Google ID token as X-Serverless-Authorization: Bearer.",
        )
    return token.strip().decode("latin-1")


def _without_signature(request: Request, token: str) -> Request:
    # The container learns who called, but cannot use the token elsewhere.
    unsigned = f"Bearer {token.rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE".encode("latin-1")
    return request.without(b"authorization").plus((b"Authorization", unsigned))
