"""An honest client: HTTP and an ID token, the same request id when it has to ask again, and patience up to a deadline."""

import time
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import quote

import httpx2

from proof.told import Told

Json = dict[str, Any]

_ANSWER_SECONDS = 75
_PAUSE_SECONDS = 0.4
_AGAIN = frozenset({409, 429, 500, 502, 503, 504})
"""What a client asks again after. A 409 only where it says ABORTED: many wrote at once."""


class Refused(Exception):
    """An answer that asking again would not change."""


class OutOfTime(Exception):
    """Asked again and again, and never answered as wished."""


class Client:
    """One signed-in user, who remembers what he was told."""

    def __init__(
        self, api: str, gateway: str, token: Callable[[], str], random: Random, told: Told, deadline: float
    ) -> None:
        self._api = api
        self._gateway = gateway
        self._token = token
        self._random = random
        self._told = told
        self.deadline = deadline
        """Monotonic seconds."""
        # A proxy of the user's must not stand between loopback addresses.
        self._http = httpx2.Client(timeout=_ANSWER_SECONDS, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def get(self, path: str) -> Json:
        """What the API shows."""
        return dict(self._insist("GET", f"{self._api}{path}").json())

    def begin(self, verb: str, method: str, path: str, body: Json | None = None, **query: str) -> Json:
        """The operation of an acting call; asked again under one request id until it is answered."""
        request_id = f"{self._random.getrandbits(64):016x}"
        operation = dict(
            self._insist(
                method, f"{self._api}{path}", json=body, params={**query, "requestId": request_id}
            ).json()
        )
        self._told.operations[_id(operation)] = verb
        return operation

    def end(self, operation: Json, *, patient: bool) -> Json:
        """The operation once it is done: by waiting for it, or by looking alone."""
        while not operation["done"]:
            self.pause()
            if patient:
                path, method = f"/v1/operations/{_id(operation)}:wait?timeout=10s", "POST"
            else:
                path, method = f"/v1/operations/{_id(operation)}", "GET"
            operation = dict(self._insist(method, f"{self._api}{path}").json())
        self._told.acknowledged.append(time.time())
        if error := operation.get("error"):
            self._told.failed.append(f"{operation['metadata']['verb']}: {error.get('message')}")
        return operation

    def visit(self, method: str, id_: str, path: str, content: bytes | None = None) -> httpx2.Response:
        """What lies behind the gateway; a removal finds nothing where an earlier try came through."""
        url = f"{self._gateway}/w/{id_}/{quote(path)}"
        return self._insist(method, url, content=content, absent_is_done=method == "DELETE")

    def pause(self) -> None:
        """Raises OutOfTime at the deadline."""
        if time.monotonic() > self.deadline:
            raise OutOfTime("the story's time is up")
        time.sleep(_PAUSE_SECONDS * (0.5 + self._random.random()))

    def _insist(self, method: str, url: str, *, absent_is_done: bool = False, **more: Any) -> httpx2.Response:
        shown = f"{method} /{url.split('/', 3)[3].split('?')[0]}"
        last = ""
        while True:
            if time.monotonic() > self.deadline:
                raise OutOfTime(f"{shown} was not answered; last: {last}")
            try:
                self._told.requests += 1
                answer = self._http.request(
                    method, url, headers={"authorization": f"Bearer {self._token()}"}, **more
                )
            except httpx2.TransportError as failure:
                last = type(failure).__name__
            else:
                if answer.is_success or (absent_is_done and answer.status_code == httpx2.codes.NOT_FOUND):
                    return answer
                last = f"{answer.status_code} {answer.text[:300]}"
                if not _worth_another_try(answer):
                    raise Refused(f"{shown} was answered {last}")
                if answer.status_code == httpx2.codes.INTERNAL_SERVER_ERROR:
                    self._told.internal_errors.append(f"{shown}: {last}")
            self._told.retried += 1
            self.pause()


def _id(operation: Json) -> str:
    return str(operation["name"]).removeprefix("operations/")


def _worth_another_try(answer: httpx2.Response) -> bool:
    if answer.status_code == httpx2.codes.CONFLICT:
        return "ABORTED" in answer.text or "CONTENTION" in answer.text
    return answer.status_code in _AGAIN
