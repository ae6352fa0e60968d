"""Brings one workstation of the first demo user to RUNNING, as any client would: through the API alone."""

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from emulators.stack.component import StackError

WANTED = {"project": "demo", "name": "main", "template": "python"}
_DEADLINE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Client:
    """The API as one signed-in user sees it."""

    api: str
    id_token: str

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer's JSON; raises StackError with the API's own words on any error."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.id_token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.api}{path}", content, headers, method=method)  # noqa: S310
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=60) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as refusal:
            said = refusal.read().decode(errors="replace")
            raise StackError(f"{method} {path} answered {refusal.code}: {said}") from refusal
        except (OSError, ValueError) as failure:
            raise StackError(f"{method} {path} failed: {failure}") from failure


def bring_up(client: Client) -> dict[str, Any]:
    """Creates or wakes the demo workstation and returns it once it is RUNNING; raises StackError if it is not."""
    existing = _find(client)
    if existing is None:
        operation = client.call("POST", "/v1/workstations", dict(WANTED))
    else:
        # Also when its record says RUNNING: its instance ended with the last local cloud, and the new one is empty.
        operation = client.call("POST", f"/v1/workstations/{existing['id']}:wake", {})
    _finish(client, operation)
    workstation = _find(client)
    if workstation is None or workstation["state"] != "RUNNING":
        state = workstation["state"] if workstation else "missing"
        raise StackError(
            f"The demo workstation is {state} instead of RUNNING; the logs of api and cloud_run say why."
        )
    return workstation


def _finish(client: Client, operation: dict[str, Any]) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not operation.get("done"):
        if time.monotonic() > deadline:
            raise StackError(
                f"The demo workstation was not ready in {_DEADLINE_SECONDS} s: {json.dumps(operation)}"
            )
        name = operation["name"].removeprefix("operations/")
        operation = client.call("POST", f"/v1/operations/{name}:wait", {})
    if error := operation.get("error"):
        raise StackError(f"The demo workstation could not start: {json.dumps(error)}")


def _find(client: Client) -> dict[str, Any] | None:
    listed = client.call("GET", "/v1/workstations").get("workstations", [])
    wanted = (WANTED["project"], WANTED["name"])
    return next((found for found in listed if (found["project"], found["displayName"]) == wanted), None)
