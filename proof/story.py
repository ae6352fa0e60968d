"""The stories: what a user does with a workstation, in six shapes. Each ends at rest, and says in which state."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from random import Random
from types import MappingProxyType

from proof.cast import Shape
from proof.client import Client, Json
from proof.evidence import Tree
from proof.plan import Plan
from proof.told import Reading, Told, Write

_PROJECT = "proof"
_NEVER = "600s"
_SOON = {"idleTimeout": "4s", "stopTimeout": "8s"}
_LARGEST_FILE = 30_000


class Hand:
    """One user at work in one round."""

    def __init__(self, plan: Plan, client: Client, told: Told) -> None:
        self.plan = plan
        self.client = client
        self.told = told
        self._random: Random = plan.random("files")

    def provision(self) -> None:
        """A workstation that runs; a short silence stops it where the story is about that."""
        timers = _SOON if self.plan.shape is Shape.GO_AWAY else {"idleTimeout": _NEVER, "stopTimeout": _NEVER}
        wish = {"project": _PROJECT, "name": "main", "template": "python", **timers}
        operation = self.client.begin("create", "POST", "/v1/workstations", wish)
        self.told.id = operation["metadata"]["target"].removeprefix("workstations/")
        self.told.uid = self.workstation()["uid"]
        if self.client.end(operation, patient=self.plan.patient).get("error"):
            self.wake()

    def workstation(self) -> Json:
        return self.client.get(f"/v1/workstations/{self.told.id}")

    def write(self, path: str) -> None:
        """One file of random bytes, until it is acknowledged."""
        content = self._random.randbytes(self._random.randrange(_LARGEST_FILE))
        self.client.visit("PUT", self.told.id, f"-/files/{path}", content)
        self._remember(path, hashlib.sha256(content).hexdigest())

    def remove(self, path: str) -> None:
        """One file less; absent is done, because an earlier try may have come through."""
        self.client.visit("DELETE", self.told.id, f"-/files/{path}")
        self._remember(path, None)

    def work(self) -> None:
        """New files, in a directory as well."""
        for path in self._random.sample(
            ["a.txt", "b.bin", "c c.txt", "src/d.py", "src/deep/e.py", "ü.md"], 3
        ):
            self.write(path)

    def change(self) -> None:
        """One file again, one removed, one new."""
        self.write(self._random.choice(self.told.paths))
        self.remove(self._random.choice(self.told.paths))
        self.write(f"new-{self._random.randrange(10)}.txt")

    def read(self) -> None:
        """Every file, through the gateway."""
        start = datetime.now(UTC)
        tree = dict(self._listed(""))
        self.told.readings.append(Reading(start, datetime.now(UTC), tree))

    def stop(self) -> None:
        self.achieve("stop")

    def wake(self) -> None:
        self.achieve("wake")

    def delete(self, *, purge: bool = False) -> None:
        while True:
            path, wish = f"/v1/workstations/{self.told.id}", "true" if purge else "false"
            operation = self.client.begin("delete", "DELETE", path, purge=wish)
            if not self.client.end(operation, patient=self.plan.patient).get("error"):
                return
            self.client.pause()

    def ask(self, verb: str) -> Json:
        """The operation of a verb, begun."""
        return self.client.begin(verb, "POST", f"/v1/workstations/{self.told.id}:{verb}", timeout="0s")

    def achieve(self, verb: str) -> None:
        """The verb, asked anew as often as its operation fails."""
        while self.client.end(self.ask(verb), patient=self.plan.patient).get("error"):
            self.client.pause()

    def until(self, state: str) -> None:
        while self.workstation()["state"] != state:
            self.client.pause()

    def _remember(self, path: str, sha256: str | None) -> None:
        now = datetime.now(UTC)
        self.told.writes.append(Write(path, sha256, now))
        self.told.acknowledged.append(now.timestamp())

    def _listed(self, directory: str) -> Tree:
        tree: dict[str, str] = {}
        entries = self.client.visit("GET", self.told.id, f"-/files/{directory}").json()["entries"]
        for entry in entries:
            path = f"{directory}{entry['name']}"
            if entry["type"] == "directory":
                tree |= self._listed(f"{path}/")
            else:
                content = self.client.visit("GET", self.told.id, f"-/files/{path}").content
                tree[path] = hashlib.sha256(content).hexdigest()
        return tree


def tell(hand: Hand) -> None:
    """The story of the plan, to its end."""
    hand.provision()
    hand.work()
    hand.told.rests_in = _STORIES[hand.plan.shape](hand)


def _stop_and_wake(hand: Hand) -> str:
    hand.stop()
    hand.wake()
    hand.read()
    hand.change()
    hand.stop()
    return "STOPPED"


def _go_away(hand: Hand) -> str:
    hand.until("STOPPED")
    hand.read()
    hand.change()
    hand.until("STOPPED")
    return "STOPPED"


def _change_of_mind(hand: Hand) -> str:
    stopping = hand.ask("stop")
    waking = hand.ask("wake")
    if hand.client.end(waking, patient=hand.plan.patient).get("error"):
        hand.wake()
    hand.client.end(stopping, patient=hand.plan.patient)
    hand.read()
    hand.change()
    hand.stop()
    return "STOPPED"


def _delete_running(hand: Hand) -> str:
    hand.change()
    hand.delete()
    return "DELETED"


def _delete_stopped(hand: Hand) -> str:
    hand.stop()
    hand.delete()
    return "DELETED"


def _purge_running(hand: Hand) -> str:
    hand.delete(purge=True)
    return "PURGED"


_STORIES: Mapping[Shape, Callable[[Hand], str]] = MappingProxyType(
    {
        Shape.STOP_AND_WAKE: _stop_and_wake,
        Shape.GO_AWAY: _go_away,
        Shape.CHANGE_OF_MIND: _change_of_mind,
        Shape.DELETE_RUNNING: _delete_running,
        Shape.DELETE_STOPPED: _delete_stopped,
        Shape.PURGE_RUNNING: _purge_running,
    }
)
