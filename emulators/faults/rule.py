"""Which calls does a fault hit?  One rule: what it matches, how often, and what happens then.

It knows no time and no transport; the same rules and calls give the same faults.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from math import isfinite
from random import Random
from typing import Any

from emulators.errors import Code


class Effect(StrEnum):
    """What happens to a call."""

    ERROR = "error"
    """It is answered with `code` and `message`."""
    DELAY = "delay"
    """It takes `seconds` longer, by the emulator's clock."""
    HANG = "hang"
    """It is never answered."""
    DROP = "drop"
    """Its connection breaks without an answer."""
    STALE = "stale"
    """A read answers as it would have `seconds` ago."""
    KILL = "kill"
    """The instance that has the request is killed."""


class When(StrEnum):
    """On which side of the call's own effect it happens."""

    BEFORE = "before"
    AFTER = "after"


class BadRule(ValueError):
    """A rule that cannot be used; the message names every reason."""


@dataclass(slots=True)
class Rule:
    """A fault and the calls that it hits; `hits` counts them, `seen` all calls that it matched."""

    name: str
    effect: Effect
    method: str = "*"
    resource: str = "*"
    when: When = When.BEFORE
    code: Code = Code.UNAVAILABLE
    message: str = ""
    seconds: float = 0.0
    calls: tuple[int, ...] = ()
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    hits: int = 0
    seen: int = 0
    _random: Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - chance that can be repeated

    def matches(self, method: str, resource: str) -> bool:
        """Whether the call is one that it is about."""
        return fnmatchcase(method, self.method) and fnmatchcase(resource, self.resource)

    def strikes(self) -> bool:
        """Whether it hits the call that it has just matched; counts it."""
        self.seen += 1
        chosen = self._random.random() < self.probability
        if self.calls and self.seen not in self.calls:
            chosen = False
        if self.times is not None and self.hits >= self.times:
            chosen = False
        self.hits += chosen
        return chosen

    def describe(self) -> dict[str, Any]:
        """The rule as JSON, with its counts."""
        shown = {f.name: getattr(self, f.name) for f in fields(self) if not f.name.startswith("_")}
        return shown | {"code": self.code.name, "calls": list(self.calls)}


_WRITABLE = frozenset(f.name for f in fields(Rule)) - {"hits", "seen", "_random"}
_TEXTS = ("name", "method", "resource", "message")


def parse_rule(document: object) -> Rule:
    """A rule from its JSON; raises BadRule."""
    if not isinstance(document, Mapping):
        raise BadRule("a fault must be a JSON object")
    problems = [f"there is no '{key}'" for key in document if key not in _WRITABLE | {"hits", "seen"}]
    problems += [f"'{key}' is missing" for key in ("name", "effect") if key not in document]
    problems += [f"'{key}' must be a text" for key in _TEXTS if not isinstance(document.get(key, ""), str)]
    if problems:
        raise BadRule("; ".join(problems))
    given = {key: value for key, value in document.items() if key in _WRITABLE}
    try:
        return Rule(**_converted(given))
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise BadRule(f"fault '{document['name']}': {error}") from error


def _converted(given: dict[str, Any]) -> dict[str, Any]:
    readers: dict[str, Callable[[Any], Any]] = {
        "effect": Effect,
        "when": When,
        "code": lambda name: Code[name],
        "seconds": _not_negative,
        "calls": _calls,
        "times": lambda number: None if number is None else _whole("times", number, 0),
        "probability": _share,
        "seed": lambda number: _whole("seed", number),
    }
    return {key: readers[key](value) if key in readers else value for key, value in given.items()}


def _calls(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"calls must be a list of numbers, but is {value!r}")
    return tuple(_whole("calls", number, 1) for number in value)


def _whole(key: str, value: Any, least: int | None = None) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{key} must be whole, but is {value!r}")
    if least is not None and value < least:
        raise ValueError(f"{key} must be {least} or more, but is {value}")
    return value


def _not_negative(value: Any) -> float:
    number = _number("seconds", value)
    if number < 0:
        raise ValueError(f"seconds must not be negative, but is {number:g}")
    return number


def _share(value: Any) -> float:
    number = _number("probability", value)
    if not 0 <= number <= 1:
        raise ValueError(f"probability must be from 0 to 1, but is {number:g}")
    return number


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{key} must be a number, but is {value!r}")
    return float(value)
