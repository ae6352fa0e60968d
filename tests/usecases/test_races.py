"""Many at once, on the real Firestore emulator: one winner where there is room for one, and nobody is lost."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

from shared.adapters.firestore.records import FirestoreRecords
from shared.adapters.system import SystemClock, SystemEntropy
from shared.domain.catalog import Wish
from shared.domain.errors import AlreadyExists, CapReached, DormouseError
from shared.domain.money import Micros
from shared.domain.policy import Caps, Policy
from shared.domain.states import State
from shared.usecases import provision
from shared.usecases.converge import converge
from shared.usecases.deps import Deps
from tests.usecases.conftest import ADA, ORIGIN, World

pytestmark = pytest.mark.firestore


def world_on(host: str, monkeypatch: pytest.MonkeyPatch, policy: Policy) -> World:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", host)
    client = firestore.Client(project=f"demo-{uuid.uuid4().hex[:12]}", credentials=AnonymousCredentials())
    return World(policy=policy, records=FirestoreRecords(client))


def impatient(deps: Deps) -> Deps:
    """Threads really wait between their tries, and do not all fall on the same moment."""
    return replace(deps, clock=SystemClock(), entropy=SystemEntropy())


def at_once(count: int, act: Callable[[int], object]) -> Counter[str]:
    """How it ended for each, by name."""
    start = threading.Barrier(count)

    def one(number: int) -> str:
        start.wait()
        try:
            act(number)
        except DormouseError as error:
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(one, range(count)))


@pytest.mark.mission("LIFE-12", "LIFE-19")
def test_fifty_provisions_of_one_name_make_one_service(
    firestore_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_on(firestore_host, monkeypatch, Policy())
    deps = impatient(world.deps)

    def provisioning(_number: int) -> None:
        operation = provision.provision(deps, world.asker(), Wish(project="demo", name="main"))
        converge(deps, operation.workstation, ORIGIN)

    ended = at_once(50, provisioning)

    assert ended == {"done": 1, AlreadyExists.__name__: 49}
    services = list(world.services.all("demo/europe-west1"))
    assert len(services) == 1
    (only,) = world.records.workstations_of(ADA, project=None, limit=10, after=None).items
    assert (only.state, only.service_name) == (State.RUNNING, services[0].name)


def test_of_eight_wakes_with_room_for_one_one_is_admitted(
    firestore_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room for ten minutes, and the save, of one light workstation."""
    world = world_on(
        firestore_host, monkeypatch, Policy(caps=Caps(daily=Micros(25_000), monthly=Micros(100_000_000)))
    )
    ids = []
    for number in range(8):
        ids.append(world.provision(name=f"w{number}"))
        world.stop(ids[-1])
        world.settle(ids[-1])
    world.clock.advance(timedelta(seconds=1))

    ended = at_once(8, lambda number: world.wake(ids[number]))

    assert ended == {"done": 1, CapReached.__name__: 7}
    assert len(world.records.user(ADA).value.reservations) == 1


def test_fifty_wakes_of_one_workstation_share_one_operation(
    firestore_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_on(firestore_host, monkeypatch, Policy())
    id_ = world.provision()
    world.stop(id_)
    world.settle(id_)
    operations: set[str] = set()
    world.deps = impatient(world.deps)

    ended = at_once(50, lambda _number: operations.add(world.wake(id_).id))

    assert ended == {"done": 50}
    assert len(operations) == 1
    assert world.get(id_).epoch == 2
