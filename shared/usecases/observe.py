"""Seeing how a workstation really is: the service first, the record second, then its agent and its owner's money.

The order matters. A record read before the service may say STOPPED of a service that has since been woken; acting on
that pair would stop a running workstation.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.budget import User
from shared.domain.errors import Unavailable
from shared.domain.lifecycle import asks_agent
from shared.domain.names import WorkstationId
from shared.domain.observed import AgentView, Observed, ServiceView
from shared.domain.workstation import Workstation
from shared.ports import Address
from shared.usecases.deps import Deps
from shared.usecases.estimate import money_left
from shared.usecases.recording import Snapshot, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One workstation as record, service, agent and money were seen together."""

    snapshot: Snapshot
    observed: Observed

    @property
    def workstation(self) -> Workstation:
        return self.snapshot.workstation.value

    @property
    def user(self) -> User:
        return self.snapshot.user.value

    @property
    def now(self) -> datetime:
        return self.snapshot.now


def observe(deps: Deps, id_: WorkstationId) -> Sight:
    """Raises NotFound; Unavailable where the Admin API does not answer."""
    hint = read(deps, id_).workstation.value
    while True:
        service = deps.services.get(hint.cell, hint.service_name) if hint.service_name else None
        snapshot = read(deps, id_)
        if snapshot.workstation.value.service_name == hint.service_name:
            break
        hint = snapshot.workstation.value
    workstation = snapshot.workstation.value
    agent = _ask(deps, workstation, service, snapshot.now)
    snapshot = replace(snapshot, now=max(snapshot.now, deps.clock.now()))
    money = money_left(workstation, snapshot.user.value, deps.policy, snapshot.now)
    return Sight(snapshot=snapshot, observed=Observed(service=service, agent=agent, funds=money))


def address_of(workstation: Workstation, service: ServiceView) -> Address:
    """The agent of the instance that was loaded; before that, of any."""
    return Address(
        uri=service.uri, service=service.name, epoch=workstation.epoch, boot_id=workstation.boot_id
    )


def recorded_address(workstation: Workstation) -> Address:
    """The same, as the record of a started one has it."""
    assert workstation.uri
    assert workstation.service_name
    return Address(
        uri=workstation.uri,
        service=workstation.service_name,
        epoch=workstation.epoch,
        boot_id=workstation.boot_id,
    )


def _ask(
    deps: Deps, workstation: Workstation, service: ServiceView | None, now: datetime
) -> AgentView | None:
    """An agent that cannot be reached has said nothing: that is never idle."""
    if service is None or not asks_agent(workstation, service, deps.policy, now):
        return None
    try:
        return deps.agents.look(address_of(workstation, service), now)
    except Unavailable:
        return None
