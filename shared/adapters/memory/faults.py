"""What if a call fails? Any port, wrapped so that chosen calls raise before or after their effect."""

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from shared.domain.errors import DormouseError, OutcomeUnknown, Unavailable

Port = TypeVar("Port")


@dataclass(frozen=True, slots=True)
class Fault:
    """The calls `first` up to `last` of a method, counted from 1, raise `error`."""

    method: str
    first: int
    last: int
    error: DormouseError
    after: bool


@dataclass
class Faults:
    """The faults to come, and the calls that were made."""

    calls: list[str] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)
    _planned: list[Fault] = field(default_factory=list)

    def before(
        self, method: str, *, nth: int = 1, times: int = 1, error: DormouseError | None = None
    ) -> None:
        """Have the n-th next call of `method`, and the `times` - 1 after it, fail without any effect."""
        self._plan(method, nth, times, error or Unavailable("A planned fault; try again."), after=False)

    def after(self, method: str, *, nth: int = 1, times: int = 1, error: DormouseError | None = None) -> None:
        """Have them take effect, and lose the answer."""
        lost = OutcomeUnknown("A planned fault: the answer was lost; read the truth.")
        self._plan(method, nth, times, error or lost, after=True)

    def clear(self) -> None:
        """Let everything work again."""
        self._planned.clear()

    def count(self, method: str) -> int:
        """How often it was called."""
        return self._counts[method]

    def _plan(self, method: str, nth: int, times: int, error: DormouseError, *, after: bool) -> None:
        first = self._counts[method] + nth
        self._planned.append(Fault(method, first, first + times - 1, error, after))

    def enter(self, method: str) -> DormouseError | None:
        """Count a call. Raises the fault planned before its effect; returns the one planned after it."""
        self.calls.append(method)
        self._counts[method] += 1
        number = self._counts[method]
        due = [fault for fault in self._planned if fault.method == method]
        due = [fault for fault in due if fault.first <= number <= fault.last]
        for fault in due:
            if not fault.after:
                raise fault.error
        return due[0].error if due else None


def faulty(port: Port, faults: Faults) -> Port:
    """The port with those faults. It has the port's own type; what is not a method passes through."""
    return cast(Port, _Faulty(port, faults))


class _Faulty:
    def __init__(self, port: object, faults: Faults) -> None:
        self._port = port
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._port, name)
        return _wrapped(attribute, name, self._faults) if callable(attribute) else attribute


def _wrapped(method: Callable[..., Any], name: str, faults: Faults) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        lost = faults.enter(name)
        result = method(*args, **kwargs)
        if lost is not None:
            raise lost
        return result

    return call
