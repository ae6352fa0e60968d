"""The Agents over HTTP: which route is called with which tokens, and what each status means.

Two tokens: the platform's invoker check wants one for the service's uri, the agent wants one for its service and
epoch. A look needs the first alone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from shared.adapters.agent import answers
from shared.adapters.agent.exchange import Exchange, Reply
from shared.domain.errors import FailedPrecondition, OtherInstance, PermissionDenied, Unavailable
from shared.domain.names import audience
from shared.domain.observed import AgentView
from shared.domain.workstation import Backup
from shared.ports import Address, Clock, Grant, Quiescence, Saved, Tokens

T = TypeVar("T")

_OTHER_INSTANCE = 412
_REFUSALS = frozenset({400, 409, 413, 422, 507})
"""The agent understood, and trying again unchanged would not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds to wait for an answer; one step of converge has to stay bounded."""

    look: float = 5.0
    control: float = 15.0
    transfer: float = 100.0


class AgentClient:
    """Calls agents. Safe for threads."""

    def __init__(self, tokens: Tokens, clock: Clock, patience: Patience | None = None) -> None:
        self._tokens = tokens
        self._clock = clock
        self._patience = patience or Patience()
        self._exchange = Exchange()

    def look(self, address: Address, now: datetime) -> AgentView:
        """What the agent says of itself and of what goes on. Raises Unavailable, and nothing else.

        A tenant's program can answer in the agent's place, and no answer of its own may keep us from stopping it.
        """
        reply = self._exchange.call(
            "GET",
            f"{address.uri}/-/activity",
            headers=self._invoker(address),
            content=None,
            seconds=self._patience.look,
        )
        try:
            return answers.agent_view(_accepted(reply, answers.Look), now)
        except (PermissionDenied, FailedPrecondition) as error:
            raise Unavailable(error.message, reason=error.reason) from error

    def load(self, address: Address, backup: Backup | None, grant: Grant | None) -> None:
        """Fill an empty instance. Raises FailedPrecondition with the agent's reason where it cannot."""
        source = None
        if backup is not None:
            assert grant is not None, "a backup is fetched with a grant"
            source = {**_granted(grant), "sha256": backup.sha256, "size": backup.size}
        reply = self._control(address, "load", {"backup": source}, self._patience.transfer)
        _accepted(reply, answers.Loaded)

    def quiesce(
        self, address: Address, *, idle_seconds: float | None, force: bool, reason: str
    ) -> Quiescence:
        """Check idleness and freeze, in one step inside the agent."""
        body = {"idleSeconds": idle_seconds, "force": force, "reason": reason}
        reply = self._control(address, "quiesce", body, self._patience.control)
        now = self._clock.now()
        if reply.status == 409:
            return answers.refused(_decoded(reply.body, answers.Refused), now)
        return answers.frozen(_accepted(reply, answers.Frozen), now)

    def resume(self, address: Address) -> None:
        """Let users in again, under the address's epoch."""
        _accepted(self._control(address, "resume", {}, self._patience.control), answers.Answer)

    def save(self, address: Address, grant: Grant, known: str | None) -> Saved:
        """Have the workspace uploaded. Raises FailedPrecondition with the agent's reason where it cannot."""
        body = {"upload": _granted(grant), "known": known}
        reply = self._control(address, "save", body, self._patience.transfer)
        return answers.saved(_accepted(reply, answers.Upload))

    def _control(self, address: Address, verb: str, body: object, seconds: float) -> Reply:
        token = self._tokens.token(audience(address.service, address.epoch))
        reply = self._exchange.call(
            "POST",
            f"{address.uri}/-/{verb}",
            headers={
                **self._invoker(address),
                **({"Dormouse-Boot": address.boot_id} if address.boot_id else {}),
                "Dormouse-Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
            },
            content=msgspec.json.encode(body),
            seconds=seconds,
        )
        if reply.status == _OTHER_INSTANCE:
            raise OtherInstance("The platform has replaced the instance that was meant.", "INSTANCE_REPLACED")
        return reply

    def _invoker(self, address: Address) -> dict[str, str]:
        token = self._tokens.token(address.uri)
        return {"X-Serverless-Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}


def _granted(grant: Grant) -> dict[str, object]:
    return {"url": grant.url, "headers": dict(grant.headers)}


def _accepted(reply: Reply, shape: type[T]) -> T:
    """The answer of a call that worked. Raises what the status means otherwise."""
    if reply.status == 200:
        return _decoded(reply.body, shape)
    if reply.status in (401, 403):
        raise PermissionDenied(
            f"The workstation does not let the control plane in{_because(reply)}. A newer epoch may have taken "
            "over; otherwise check that this process's service account may invoke it and is in "
            "CONTROLLER_SERVICE_ACCOUNTS.",
            reason="AGENT_REFUSED_CALLER",
        )
    if reply.status in _REFUSALS:
        raise FailedPrecondition(
            f"The workstation's agent refused ({reply.status}{_because(reply)}).",
            reason="AGENT_REFUSED",
            metadata={"agentReason": _reason(reply)},
        )
    # Whatever else it is, a 404 of the platform's included, it is not an agent that can answer.
    raise Unavailable(
        f"The workstation's agent cannot answer now ({reply.status}{_because(reply)}); try again.",
        reason="AGENT_UNREACHABLE",
        retry_after=_seconds(reply.retry_after),
    )


def _decoded(body: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(
            "The workstation's agent gives answers that are not an agent's; stop the workstation if it stays so.",
            reason="AGENT_UNREADABLE",
        ) from error


def _because(reply: Reply) -> str:
    failed = _failed(reply)
    text = answers.cut(failed.error.message or failed.reason)
    return f": {text}" if text else ""


def _reason(reply: Reply) -> str:
    """The agent's word for machines, such as NO_SPACE."""
    return next((answers.cut(detail.reason) for detail in _failed(reply).error.details), "")


def _failed(reply: Reply) -> answers.Failed:
    try:
        return msgspec.json.decode(reply.body, type=answers.Failed)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return answers.Failed()


def _seconds(text: str) -> timedelta | None:
    return timedelta(seconds=int(text)) if text.isascii() and text.isdigit() and len(text) < 6 else None
