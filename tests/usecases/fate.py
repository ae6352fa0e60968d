"""The platform takes the instance away at one chosen call to the outside."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from shared.domain.policy import Policy, Replacements
from tests.usecases.conftest import World

PORTS = ("records", "services", "agents", "backups")


@dataclass
class Fate:
    """Counts the calls to the outside, and has the platform take the instance away at one of them."""

    world: World
    at: int = -1
    after: bool = False
    calls: list[str] = field(default_factory=list)

    def wrap(self, port: Any) -> Any:
        return _Watched(port, self)

    def meet(self, method: str, call: Callable[[], Any]) -> Any:
        self.calls.append(method)
        chosen = len(self.calls) - 1 == self.at
        if chosen and not self.after:
            take_away(self.world)
        result = call()
        if chosen and self.after:
            take_away(self.world)
        return result


class _Watched:
    def __init__(self, port: Any, fate: Fate) -> None:
        self._port, self._fate = port, fate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        return lambda *args, **more: self._fate.meet(name, lambda: method(*args, **more))


def take_away(world: World) -> None:
    """Whatever runs is gone, and an empty one follows."""
    for service in list(world.services.all("demo/europe-west1")):
        if world.services.run_at(service.uri):
            world.agents.replace(service.uri)


def fated(at: int = -1, *, after: bool = False) -> tuple[World, Fate]:
    # The crash loop that ends in an ERROR is another story.
    world = World(policy=Policy(replacements=Replacements(most=1000)))
    fate = Fate(world, at, after)
    world.deps = replace(world.deps, **{name: fate.wrap(getattr(world.deps, name)) for name in PORTS})
    return world, fate
