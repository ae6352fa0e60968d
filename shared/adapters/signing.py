"""How is a URL signed without a key file? By IAM's signBlob, as the account that this process runs as.

google-auth has such a signer, but with Google's address built in; here the endpoint is told, so that the same path
serves on Google Cloud and on one machine.
"""

import base64
import json
import threading
from functools import cached_property
from typing import Any

import google.auth.credentials

from shared.adapters.refusals import reading

IAM_CREDENTIALS = "https://iamcredentials.googleapis.com"
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_CALL_SECONDS = 5.0
_AGAIN_SECONDS = 10.0


class BlobSigner(google.auth.credentials.Signing):  # type: ignore[misc]
    """Credentials that can only sign; signing changes nothing, so it is tried again. Safe for threads."""

    def __init__(self, account: str, endpoint: str = IAM_CREDENTIALS) -> None:
        self._account = account
        self._endpoint = endpoint.rstrip("/")
        self._refreshing = threading.Lock()

    @property
    def signer_email(self) -> str:
        """The account whose signature it is."""
        return self._account

    @property
    def signer(self) -> "BlobSigner":
        """Itself: there is no key at hand."""
        return self

    def sign_bytes(self, message: bytes) -> bytes:
        """The account's signature. Raises Unavailable."""
        with reading(f"sign as {self._account}"):
            return base64.b64decode(self._retry(self._sign)(message))

    def _sign(self, message: bytes) -> str:
        from google.api_core import exceptions  # noqa: PLC0415 - with the rest, on first use

        answer = self._request(
            url=f"{self._endpoint}/v1/projects/-/serviceAccounts/{self._account}:signBlob",
            method="POST",
            headers={"Authorization": f"Bearer {self._access_token()}", "Content-Type": "application/json"},
            body=json.dumps({"payload": base64.b64encode(message).decode()}).encode(),
            timeout=_CALL_SECONDS,
        )
        if answer.status != 200:
            raise exceptions.from_http_status(answer.status, f"signBlob answered {answer.status}")
        return str(json.loads(answer.data)["signedBlob"])

    def _access_token(self) -> str:
        # Not by an AuthorizedSession: it would also look up the account's region boundary, at Google's address.
        with self._refreshing:
            if not self._credentials.valid:
                self._credentials.refresh(self._request)
            return str(self._credentials.token)

    @cached_property
    def _credentials(self) -> Any:
        from google.auth import default  # noqa: PLC0415

        credentials, _project = default(scopes=_SCOPES)
        return credentials

    @cached_property
    def _request(self) -> Any:
        from google.auth.transport.requests import Request  # noqa: PLC0415

        return Request()

    @cached_property
    def _retry(self) -> Any:
        from google.api_core import exceptions, retry  # noqa: PLC0415

        again = retry.if_exception_type(exceptions.TooManyRequests, exceptions.ServerError)
        return retry.Retry(predicate=again, initial=0.2, maximum=2.0, timeout=_AGAIN_SECONDS)
