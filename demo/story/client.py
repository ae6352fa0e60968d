"""The product as its user meets it: the API, and the gateway to one workstation. Nothing but HTTP and an ID token."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Self
from urllib.parse import quote

import httpx2

from demo.story.observation import NotObserved
from demo.story.place import Place

Json = dict[str, Any]

_PATIENCE_SECONDS = 90


class Refused(Exception):
    """An answer that is an error: its HTTP status and its google.rpc.Status."""

    def __init__(self, asked: str, answer: httpx2.Response) -> None:
        self.status = answer.status_code
        self.error = _status(answer)
        super().__init__(
            f"{asked} was answered {self.status} {self.error['status']}: {self.error['message']}"
        )

    @property
    def metadata(self) -> Json:
        """What its ErrorInfo says for programs."""
        infos = [detail for detail in self.error.get("details", []) if "metadata" in detail]
        return dict(infos[0]["metadata"]) if infos else {}


class Client:
    """One signed-in user."""

    def __init__(self, api: str, gateway: str, id_token: str) -> None:
        self.id_token = id_token
        self._api = api
        self._gateway = gateway
        # A proxy of the user's must not stand between loopback addresses.
        self._http = httpx2.Client(
            headers={"Authorization": f"Bearer {id_token}"}, timeout=_PATIENCE_SECONDS, trust_env=False
        )

    @classmethod
    def of(cls, place: Place, uid: str) -> Self:
        """This user, signed in just now."""
        return cls(place.endpoints["api"], place.endpoints["gateway"], place.id_token(uid))

    def call(self, method: str, path: str, body: Json | None = None, **query: str) -> Json:
        """The API's answer; raises Refused."""
        answer = self._http.request(method, f"{self._api}{path}", json=body, params=query)
        return dict(_accepted(f"{method} {path}", answer).json())

    def workstation(self, id_: str) -> Json:
        """The workstation as the API shows it: looking is no activity."""
        return self.call("GET", f"/v1/workstations/{id_}")

    def finished(self, operation: Json) -> Json:
        """The operation once it is done, however it ended."""
        while not operation["done"]:
            name = operation["name"].removeprefix("operations/")
            operation = self.call("POST", f"/v1/operations/{name}:wait", timeout="25s")
        return operation

    def visit(
        self, method: str, id_: str, path: str, *, body: Json | None = None, content: bytes | None = None
    ) -> httpx2.Response:
        """What lies behind the gateway at a path of the workstation; raises Refused."""
        url = f"{self._gateway}/w/{id_}/{quote(path)}"
        answer = self._http.request(method, url, json=body, content=content)
        return _accepted(f"{method} /w/{id_}/{path}", answer)

    def execute(self, id_: str, command: str) -> Iterator[Json]:
        """The lines that a command in the workstation sends while it runs; the last one has its exitCode."""
        url = f"{self._gateway}/w/{id_}/-/exec"
        with self._http.stream("POST", url, json={"command": command}) as answer:
            if answer.is_error:
                answer.read()
            for line in _accepted("POST /-/exec", answer).iter_lines():
                yield dict(json.loads(line))


def refused(ask: Callable[[], object], expected: str, component: str) -> Refused:
    """The refusal that this call is answered with; raises NotObserved where it is not refused."""
    try:
        answer = ask()
    except Refused as refusal:
        return refusal
    raise NotObserved(expected, answer, component)


def _status(answer: httpx2.Response) -> Json:
    """The google.rpc.Status of an error; what is none is quoted as its message."""
    try:
        return dict(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return {"status": answer.reason_phrase, "message": answer.text[:500]}


def _accepted(asked: str, answer: httpx2.Response) -> httpx2.Response:
    if answer.is_error:
        raise Refused(asked, answer)
    return answer
