"""What the supervisor must know of one process of the local cloud."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


class StackError(Exception):
    """The local cloud cannot go on: what happened, why, and what to do next."""


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One process: how it starts, when it is ready, what it needs first and how it ends.

    `ready` is an address that answers 200 when the process can work. `after` names the components that must be
    ready before this one starts; it is stopped before them. `after_start` runs once it first answers, before
    whoever needs it starts; `before_stop` runs while it still answers.
    `loss` says what is lost when it dies and starts again, for whoever reads the console.
    """

    name: str
    address: str
    command: tuple[str, ...]
    ready: str
    environment: Mapping[str, str]
    directory: Path
    log: Path
    after: tuple[str, ...] = ()
    start_seconds: float = 30
    grace_seconds: float = 5
    after_start: Callable[[], None] = field(default=_nothing)
    before_stop: Callable[[], None] = field(default=_nothing)
    loss: str = ""
