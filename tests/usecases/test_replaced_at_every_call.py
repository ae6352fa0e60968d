"""The platform takes the instance away at every moment of a whole life: no save is lost, and what is lost is said.

A moment is a call to the outside: the instance goes just before it, or just after it has had its effect.
"""

import json
from contextlib import suppress
from datetime import timedelta

from shared.adapters.memory.agents import Instance
from shared.domain.errors import DormouseError
from shared.domain.events import broken_link
from shared.domain.names import WorkstationId
from shared.domain.observed import Phase
from shared.domain.states import State
from shared.usecases.replace_instance import replace_instance
from tests.usecases.conftest import ADA, ORIGIN, World
from tests.usecases.fate import fated


class User:
    """Somebody behind the gateway: writes, reads again, and compares with what was promised."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.id = WorkstationId("")
        self.written: dict[str, str] = {}

    def inside(self) -> Instance:
        """What a request meets, as the gateway lets it through: RUNNING, and the very instance that was loaded."""
        world = self.world
        for _ in range(40):
            seen = world.get(self.id)
            instance = world.agents.instance(seen.uri or "") if seen.state is State.RUNNING else None
            if instance and instance.boot_id == seen.boot_id and instance.phase is Phase.READY:
                return instance
            self._open(instance is not None)
            world.clock.advance(timedelta(seconds=5))
        raise AssertionError(f"never served: {world.get(self.id)}")

    def _open(self, runs: bool) -> None:
        with suppress(DormouseError):
            if runs:
                replace_instance(self.world.deps, self.id, ORIGIN)
                self.world.touch(self.id)
            else:
                self.world.wake(self.id)
            self.world.converge(self.id)

    def write(self, name: str) -> None:
        self.inside().write(name, name, self.world.clock.now())
        self.written[name] = name
        self.world.touch(self.id)

    def look(self) -> None:
        """Never less than the newest save; and what is missing besides has been said."""
        acknowledged = self.saved()
        files = self.inside().files
        assert acknowledged.items() <= files.items(), "a save that was acknowledged is not there"
        if files != self.written:
            assert self.told(), f"{self.written.keys() - files.keys()} went without a word"
            self.written = dict(files)

    def saved(self) -> dict[str, str]:
        backup = self.world.get(self.id).backup
        if backup is None:
            return {}
        return dict(json.loads(self.world.backups._content(backup.object_name)))

    def told(self) -> bool:
        events = self.world.records.events(self.id, self.world.get(self.id).uid)
        return any("is lost" in event.message for event in events)

    def until(self, state: State) -> None:
        for _ in range(90):
            if self.world.get(self.id).state is state:
                return
            self.world.clock.advance(timedelta(seconds=20))
            self.world.sweep()
        raise AssertionError(f"never {state}: {self.world.get(self.id)}")


def story(world: World) -> User:
    """Begin, work, rest, come back, work, stop, wake, work, rest until it stops, wake, delete."""
    user = User(world)
    user.id = world.provision()
    user.write("a")
    user.until(State.IDLE)
    user.look()
    user.write("b")
    world.stop(user.id)
    user.until(State.STOPPED)
    user.look()
    user.write("c")
    user.until(State.IDLE)
    user.until(State.STOPPED)
    user.look()
    world.delete(user.id)
    user.until(State.DELETED)
    return user


def test_at_whatever_call_it_goes_no_save_is_lost_and_what_is_lost_is_said() -> None:
    world, fate = fated()
    undisturbed = story(world)
    assert undisturbed.written == {"a": "a", "b": "b", "c": "c"}
    assert not undisturbed.told()
    assert {"look", "load", "quiesce", "save", "resume"} <= set(fate.calls)

    broken = []
    for at, method in enumerate(fate.calls):
        for after in (False, True):
            world, _ = fated(at, after=after)
            try:
                user = story(world)
                gone = world.get(user.id)
                assert broken_link(list(world.records.events(user.id, gone.uid))) is None
                assert (gone.interval, dict(world.records.user(ADA).value.reservations)) == (None, {})
                assert list(world.services.all(gone.cell)) == []
            except (AssertionError, DormouseError) as error:
                broken.append(f"{'after' if after else 'before'} call {at}, {method}: {error}")

    assert broken == []
