"""The contract of the port `Agents`, held by the ones in memory and by real agents behind Cloud Run's invoker check."""

import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from shared.adapters.agent.client import AgentClient
from shared.adapters.agent.tokens import CachedTokens
from shared.adapters.cloud_run.blueprint import Blueprint
from shared.adapters.cloud_run.client import services_client
from shared.adapters.cloud_run.services import CloudRunServices
from shared.adapters.memory.agents import MemoryAgents
from shared.adapters.memory.backups import MemoryBackups
from shared.adapters.memory.clock import FakeClock
from shared.adapters.memory.services import MemoryServices
from shared.adapters.system import SystemClock
from shared.domain.errors import FailedPrecondition, OtherInstance, PermissionDenied, Unavailable
from shared.domain.names import Uid, service_name
from shared.domain.observed import AgentView, Busy, Phase, ServiceView
from shared.domain.workstation import Source, Workstation
from shared.ports import Address, Agents, Clock, Grant, ServiceHost
from tests.builders import a_spec, a_workstation
from tests.emulator_processes import (
    API,
    IMAGE,
    PROJECT,
    REGION,
    RUNTIME,
    SWEEP,
    IdentityEmulator,
    Start,
    eventually,
    identity_emulator,
    start_emulator,
)

__all__ = ["identity_emulator", "start_emulator"]

CELL = f"{PROJECT}/{REGION}"
WORKSTATION = Path(__file__).parents[2] / "workstation"


@dataclass
class Bench:
    """Agents, the host of their services, and a user's hands."""

    host: ServiceHost
    agents: Agents
    clock: Clock
    touch: Callable[[str], None]

    def look(self, address: Address) -> AgentView:
        return self.agents.look(address, self.clock.now())

    def started(self) -> tuple[Workstation, Address]:
        """A workstation that is scaled up, in epoch 1, and whose agent answers; nothing is loaded."""
        uid = Uid(uuid.uuid4().hex[:20])
        name = service_name(uid, 1)
        workstation = a_workstation(uid=uid, cell=CELL, spec=a_spec(image=IMAGE), service_name=name)
        self.host.create(workstation)
        created = self.host.get(CELL, name)
        assert created is not None
        self.host.scale_up(workstation, created.etag)
        address = Address(uri=created.uri, service=name, epoch=1)
        eventually(lambda: self.answers(address), seconds=20)
        return workstation, address

    def service(self, address: Address) -> ServiceView:
        service = self.host.get(CELL, address.service)
        assert service is not None
        return service

    def answers(self, address: Address) -> bool:
        try:
            return bool(self.look(address).boot_id)
        except Unavailable:
            return False

    def ready(self) -> Address:
        """One whose workspace is loaded."""
        _, address = self.started()
        self.agents.load(address, None, None)
        return address


def in_memory() -> Bench:
    clock = FakeClock()
    services = MemoryServices(clock)
    agents = MemoryAgents(services, MemoryBackups(clock), clock)

    def touch(uri: str) -> None:
        instance = agents.instance(uri)
        assert instance is not None
        instance.touch(Source.REQUEST, clock.now())

    return Bench(services, agents, clock, touch)


@pytest.fixture(scope="module")
def guarded_host(start_emulator: Start, identity_emulator: IdentityEmulator) -> str:
    """A Cloud Run emulator that lets SWEEP and API in; IMAGE is the agent itself."""
    command = f"env PYTHONPATH={WORKSTATION} DORMOUSE_BIND=127.0.0.1 {sys.executable} -m agent"
    keys = ["--keys", f"{identity_emulator.url}/oauth2/v3/certs", "--invoker", SWEEP, "--invoker", API]
    arguments = ["--location", REGION, "--runtime", "process"]
    arguments += ["--image", f"{IMAGE}={command}", "--grace", "1"]
    return f"127.0.0.1:{start_emulator('emulators.cloud_run', *arguments, *keys)}"


def over_http(host: str, identity: IdentityEmulator) -> Bench:
    clock = SystemClock()
    blueprint = Blueprint(
        environment="test",
        runtime_service_account=RUNTIME,
        controllers=(SWEEP,),
        certs_url=f"{identity.url}/oauth2/v3/certs",
    )
    tokens = CachedTokens(clock)

    def touch(uri: str) -> None:
        headers = {"X-Serverless-Authorization": f"Bearer {tokens.token(uri)}"}
        httpx2.get(f"{uri}/index.html", headers=headers, trust_env=False)

    return Bench(
        CloudRunServices(lambda: services_client(host), blueprint), AgentClient(tokens, clock), clock, touch
    )


@pytest.fixture(params=["memory", "http"])
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Agents."""
    if request.param == "memory":
        yield in_memory()
        return
    host, identity = (request.getfixturevalue(name) for name in ("guarded_host", "identity_emulator"))
    identity.become(SWEEP, monkeypatch)
    bench = over_http(host, identity)
    yield bench
    for service in bench.host.all(CELL):
        bench.host.delete(CELL, service)


def test_a_fresh_instance_is_empty_and_in_no_epoch(bench: Bench) -> None:
    _, address = bench.started()
    view = bench.look(address)
    assert (view.phase, view.epoch, view.last_activity, view.last_client_activity) == (
        Phase.EMPTY,
        None,
        None,
        None,
    )


def test_looking_is_no_activity(bench: Bench) -> None:
    address = bench.ready()
    for _ in range(3):
        assert bench.look(address).last_client_activity is None


def test_loading_nothing_makes_it_ready_in_the_epoch_of_the_call(bench: Bench) -> None:
    _, address = bench.started()
    boot = bench.look(address).boot_id
    bench.agents.load(address, None, None)
    view = bench.look(address)
    assert (view.phase, view.epoch, view.boot_id) == (Phase.READY, 1, boot)


def test_loading_again_changes_nothing(bench: Bench) -> None:
    address = bench.ready()
    before = bench.look(address)
    bench.agents.load(address, None, None)
    after = bench.look(address)
    assert (after.phase, after.boot_id) == (before.phase, before.boot_id)


def test_a_newer_epoch_takes_over_and_the_old_one_is_refused(bench: Bench) -> None:
    """Whoever still acts for the old epoch does nothing any more."""
    address = bench.ready()
    newer = replace(address, epoch=5)
    bench.agents.load(newer, None, None)
    with pytest.raises(PermissionDenied):
        bench.agents.resume(address)
    with pytest.raises(PermissionDenied):
        bench.agents.quiesce(address, idle_seconds=None, force=True, reason="user")
    view = bench.look(newer)
    assert (view.epoch, view.phase) == (5, Phase.READY)


def test_a_users_request_is_activity_of_a_client(bench: Bench) -> None:
    address = bench.ready()
    started = bench.clock.now() - timedelta(seconds=1)
    bench.touch(address.uri)
    view = bench.look(address)
    assert view.last_activity == view.last_client_activity
    assert view.last_activity is not None
    assert view.last_activity.source is Source.REQUEST
    assert started <= view.last_activity.time <= bench.clock.now()


def test_an_idle_one_freezes_and_resumes(bench: Bench) -> None:
    address = bench.ready()
    eventually(lambda: bench.look(address).busy is Busy.NO)
    answer = bench.agents.quiesce(address, idle_seconds=0, force=False, reason="idle")
    assert answer.quiesced
    assert bench.look(address).phase is Phase.QUIESCED
    bench.agents.resume(address)
    assert bench.look(address).phase is Phase.READY


def test_quiescing_again_is_the_same_answer(bench: Bench) -> None:
    address = bench.ready()
    for _ in range(2):
        assert bench.agents.quiesce(address, idle_seconds=None, force=True, reason="user").quiesced


def test_recent_activity_refuses_to_freeze_and_is_named(bench: Bench) -> None:
    address = bench.ready()
    eventually(lambda: bench.look(address).busy is Busy.NO)
    bench.touch(address.uri)
    answer = bench.agents.quiesce(address, idle_seconds=300, force=False, reason="idle")
    assert not answer.quiesced
    assert answer.activity is not None
    assert answer.activity.source is Source.REQUEST
    assert answer.cause
    assert bench.look(address).phase is Phase.READY


def test_force_freezes_in_spite_of_activity(bench: Bench) -> None:
    address = bench.ready()
    bench.touch(address.uri)
    assert bench.agents.quiesce(address, idle_seconds=300, force=True, reason="daily_cap").quiesced


def test_an_empty_one_has_nothing_to_freeze_or_resume(bench: Bench) -> None:
    _, address = bench.started()
    assert not bench.agents.quiesce(address, idle_seconds=None, force=True, reason="user").quiesced
    with pytest.raises(FailedPrecondition):
        bench.agents.resume(address)


def test_what_is_scaled_down_cannot_be_reached(bench: Bench) -> None:
    workstation, address = bench.started()
    bench.host.scale_down(workstation.cell, bench.service(address))
    eventually(lambda: not bench.answers(address))
    calls: list[Callable[[], object]] = [
        lambda: bench.look(address),
        lambda: bench.agents.load(address, None, None),
        lambda: bench.agents.quiesce(address, idle_seconds=None, force=True, reason="user"),
        lambda: bench.agents.resume(address),
    ]
    for call in calls:
        with pytest.raises(Unavailable):
            call()


def test_a_new_run_is_another_boot_and_empty(bench: Bench) -> None:
    workstation, address = bench.started()
    bench.agents.load(address, None, None)
    first = bench.look(address).boot_id
    bench.host.scale_down(CELL, bench.service(address))
    eventually(lambda: not bench.answers(address))
    bench.host.scale_up(replace(workstation, epoch=2), bench.service(address).etag)
    eventually(lambda: bench.answers(address), seconds=20)
    view = bench.look(address)
    assert view.boot_id != first
    assert view.phase is Phase.EMPTY


def test_a_call_for_another_instance_than_the_one_that_answers_has_no_effect(bench: Bench) -> None:
    """Nor does its epoch count. The one that is meant does as it is told."""
    _, address = bench.started()
    before = bench.look(address)
    other = replace(address, epoch=9, boot_id="another")
    calls: list[Callable[[], object]] = [
        lambda: bench.agents.load(other, None, None),
        lambda: bench.agents.quiesce(other, idle_seconds=None, force=True, reason="user"),
        lambda: bench.agents.resume(other),
        lambda: bench.agents.save(other, Grant(url="https://store.test/object"), None),
    ]
    for call in calls:
        with pytest.raises(OtherInstance):
            call()
    after = bench.look(other)
    assert (after.phase, after.epoch) == (Phase.EMPTY, before.epoch)
    bench.agents.load(replace(address, boot_id=before.boot_id), None, None)
    assert bench.look(address).phase is Phase.READY


def test_a_stranger_is_turned_away_by_platform_and_agent(
    guarded_host: str, identity_emulator: IdentityEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workstation's own account may not invoke; the api's may, but no agent here obeys it."""
    identity_emulator.become(SWEEP, monkeypatch)
    _, address = over_http(guarded_host, identity_emulator).started()
    for account in (RUNTIME, API):
        identity_emulator.become(account, monkeypatch)
        strange = AgentClient(CachedTokens(SystemClock()), SystemClock())
        with pytest.raises(PermissionDenied, match="service account") as refused:
            strange.load(address, None, None)
        assert refused.value.reason == "AGENT_REFUSED_CALLER"
