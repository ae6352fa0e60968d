"""What does a call meet on its way in and out?  Every call of an emulator passes here, whatever its transport."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

from emulators.clock import Clock
from emulators.errors import ApiError
from emulators.faults.rule import BadRule, Effect, Rule, When, parse_rule

_Answer = TypeVar("_Answer")


class Dropped(Exception):
    """The connection of this call is to break without an answer."""


class FaultGate:
    """The rules in force, and what they do to calls."""

    def __init__(self, clock: Clock, rules: Iterable[Rule] = ()) -> None:
        self._clock = clock
        self._rules = {rule.name: rule for rule in rules}

    def set(self, rule: Rule) -> None:
        """Put a rule in force; it replaces the one of its name, counts and all."""
        self._rules[rule.name] = rule

    def remove(self, name: str) -> bool:
        """Lift a rule; False when there was none."""
        return self._rules.pop(name, None) is not None

    def clear(self) -> None:
        """Lift all rules."""
        self._rules.clear()

    def rules(self) -> list[Rule]:
        """All rules in force."""
        return list(self._rules.values())

    async def around(self, method: str, resource: str, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Make the call, with whatever goes wrong before and after it; raises ApiError or Dropped for that."""
        await self._suffer(method, resource, When.BEFORE)
        answer = await call()
        await self._suffer(method, resource, When.AFTER)
        return answer

    def strikes(self, effect: Effect, method: str, resource: str) -> Rule | None:
        """The rule of a special effect (STALE, KILL) that hits this call, which its own code carries out."""
        found = [rule for rule in self._of(method, resource) if rule.effect is effect and rule.strikes()]
        return found[0] if found else None

    def ago(self, method: str, resource: str) -> float:
        """How many seconds old what this call reads is to be: as a STALE rule that hits it says, else none."""
        rule = self.strikes(Effect.STALE, method, resource)
        return rule.seconds if rule else 0.0

    def _of(self, method: str, resource: str) -> list[Rule]:
        return [rule for rule in self._rules.values() if rule.matches(method, resource)]

    async def _suffer(self, method: str, resource: str, when: When) -> None:
        for rule in self._of(method, resource):
            if rule.when is when and rule.effect not in (Effect.STALE, Effect.KILL) and rule.strikes():
                await self._carry_out(rule)

    async def _carry_out(self, rule: Rule) -> None:
        match rule.effect:
            case Effect.DELAY:
                await self._clock.sleep(rule.seconds)
            case Effect.HANG:
                await asyncio.Event().wait()
            case Effect.DROP:
                raise Dropped(rule.name)
            case Effect.ERROR:
                raise ApiError(rule.code, rule.message or f"The fault '{rule.name}' was asked for.")


def read_rules(path: Path) -> list[Rule]:
    """The rules of a file, a JSON list; raises BadRule, which names the file."""
    try:
        document = json.loads(path.read_text("utf-8"))
        if not isinstance(document, list):
            raise BadRule("it must hold a list of faults")
        return [parse_rule(entry) for entry in document]
    except (OSError, ValueError) as error:
        raise BadRule(f"{path} cannot be used: {error}") from error
