"""Whose token goes with a call?  Asked of the metadata servers of the accounts that there are."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpx2

_ACCOUNTS = "/computeMetadata/v1/instance/service-accounts"
_CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
_PATIENCE_SECONDS = 10


class NoToken(Exception):
    """No metadata server gives a token of that account; the message says why not."""


class Tokens:
    """Gives tokens of any account that one of the servers, each as HOST:PORT, stands for."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = servers

    async def authorization(self, target: Any, client: httpx2.AsyncClient) -> str:
        """The Authorization header that the HTTP target asks for, empty when it asks for none. Raises NoToken."""
        kind = target.WhichOneof("authorization_header")
        if kind is None:
            return ""
        wanted = getattr(target, kind)
        if kind == "oidc_token":
            parameters = {"audience": wanted.audience or target.uri, "format": "full"}
            answer = await self._ask(client, wanted.service_account_email, "identity", parameters)
            return f"Bearer {answer.text.strip()}"
        parameters = {"scopes": wanted.scope or _CLOUD_PLATFORM}
        answer = await self._ask(client, wanted.service_account_email, "token", parameters)
        try:
            return f"Bearer {answer.json()['access_token']}"
        except (ValueError, KeyError, TypeError) as error:
            raise NoToken(f"what the metadata server answered is no token: {error!r}") from error

    async def _ask(
        self, client: httpx2.AsyncClient, email: str, what: str, parameters: dict[str, str]
    ) -> httpx2.Response:
        reasons = []
        for server in self._servers:
            url = f"http://{server}{_ACCOUNTS}/{quote(email)}/{what}"
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    answer = await client.get(url, params=parameters, headers={"Metadata-Flavor": "Google"})
            except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
                reasons.append(f"{server}: {error!r}")
                continue
            if answer.status_code == httpx2.codes.OK:
                return answer
            reasons.append(f"{server} answered {answer.status_code}")
        raise NoToken(f"no token of {email}: {'; '.join(reasons) or 'there is no metadata server'}")
