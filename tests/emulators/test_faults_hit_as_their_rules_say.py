"""Faults by rule: which calls they hit, on which side of the effect, and what the caller meets."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from emulators.clock import Clock
from emulators.errors import ApiError, Code
from emulators.faults.gate import Dropped, FaultGate, read_rules
from emulators.faults.rule import BadRule, Effect, parse_rule


class Service:
    """Counts what took effect."""

    def __init__(self) -> None:
        self.effects = 0

    async def write(self) -> str:
        self.effects += 1
        return "written"


async def outcomes(
    rule: dict, calls: int, method: str = "Update", resource: str = "a"
) -> tuple[list[str], int]:
    gate, service = FaultGate(Clock(), [parse_rule(rule)]), Service()
    seen = []
    for _ in range(calls):
        try:
            seen.append(await gate.around(method, resource, service.write))
        except ApiError as error:
            seen.append(error.code.name)
        except Dropped:
            seen.append("dropped")
    return seen, service.effects


def test_an_error_before_the_effect_leaves_nothing_behind():
    rule = {"name": "down", "effect": "error", "code": "UNAVAILABLE"}
    assert asyncio.run(outcomes(rule, 2)) == (["UNAVAILABLE", "UNAVAILABLE"], 0)


def test_an_error_after_the_effect_hides_that_it_worked():
    rule = {"name": "lost", "effect": "drop", "when": "after"}
    assert asyncio.run(outcomes(rule, 2)) == (["dropped", "dropped"], 2)


def test_only_the_chosen_calls_are_hit():
    rule = {"name": "third", "effect": "error", "code": "ABORTED", "calls": [3]}
    seen, effects = asyncio.run(outcomes(rule, 4))
    assert (seen, effects) == (["written", "written", "ABORTED", "written"], 3)


def test_a_rule_stops_when_it_has_hit_often_enough():
    rule = {"name": "twice", "effect": "error", "times": 2}
    seen, _ = asyncio.run(outcomes(rule, 4))
    assert seen == ["UNAVAILABLE", "UNAVAILABLE", "written", "written"]


def test_chance_is_the_same_for_the_same_seed():
    rule = {"name": "chance", "effect": "error", "probability": 0.5, "seed": 7}
    first, second = (asyncio.run(outcomes(rule, 50))[0] for _ in range(2))
    assert first == second
    assert {"written", "UNAVAILABLE"} == set(first)


@pytest.mark.parametrize(
    ("method", "resource", "hit"), [("Update", "a", True), ("Get", "a", False), ("Update", "b", False)]
)
def test_method_and_resource_choose_the_calls(method: str, resource: str, hit: bool):
    rule = {"name": "one", "effect": "error", "method": "Up*", "resource": "a"}
    seen, _ = asyncio.run(outcomes(rule, 1, method, resource))
    assert (seen == ["UNAVAILABLE"]) is hit


def test_a_delay_passes_with_the_emulators_clock():
    async def story() -> str:
        clock = Clock()
        clock.hold()
        gate = FaultGate(clock, [parse_rule({"name": "slow", "effect": "delay", "seconds": 3600})])
        call = asyncio.create_task(gate.around("Get", "a", Service().write))
        await asyncio.sleep(0)
        await clock.advance(timedelta(minutes=59))
        assert not call.done()
        await clock.advance(timedelta(minutes=1))
        return await call

    assert asyncio.run(story()) == "written"


def test_special_effects_are_for_the_code_that_knows_them():
    async def story() -> None:
        gate = FaultGate(
            Clock(), [parse_rule({"name": "old", "effect": "stale", "seconds": 30, "calls": [2]})]
        )
        assert await gate.around("List", "p", Service().write) == "written"
        assert gate.strikes(Effect.STALE, "List", "p") is None
        rule = gate.strikes(Effect.STALE, "List", "p")
        assert rule is not None
        assert rule.seconds == 30

    asyncio.run(story())


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ([], "object"),
        ({"effect": "error"}, "'name' is missing"),
        ({"name": "x", "effect": "explode"}, "explode"),
        ({"name": "x", "effect": "error", "code": "TEAPOT"}, "TEAPOT"),
        ({"name": "x", "effect": "error", "probability": 2}, "probability"),
        ({"name": "x", "effect": "delay", "seconds": -1}, "seconds"),
        ({"name": "x", "effect": "delay", "seconds": float("nan")}, "seconds"),
        ({"name": "x", "effect": "delay", "seconds": float("inf")}, "seconds"),
        ({"name": "x", "effect": "delay", "seconds": 10**400}, "too large"),
        ({"name": "x", "effect": "error", "probability": True}, "probability"),
        ({"name": "x", "effect": "error", "calls": "123"}, "calls"),
        ({"name": "x", "effect": "error", "calls": [0]}, "calls"),
        ({"name": "x", "effect": "error", "calls": [1.5]}, "calls"),
        ({"name": "x", "effect": "error", "times": -1}, "times"),
        ({"name": "x", "effect": "error", "times": float("inf")}, "times"),
        ({"name": "x", "effect": "error", "seed": float("inf")}, "seed"),
        ({"name": "x", "effect": "error", "metod": "Get"}, "metod"),
        ({"name": 1, "effect": "error"}, "'name' must be a text"),
    ],
)
def test_a_rule_that_cannot_be_used_says_why(rule: object, said: str):
    with pytest.raises(BadRule, match=said):
        parse_rule(rule)


def test_a_file_of_rules_is_read_and_a_bad_one_is_named(tmp_path: Path):
    file = tmp_path / "faults.json"
    file.write_text('[{"name": "down", "effect": "error", "code": "NOT_FOUND"}]')
    (rule,) = read_rules(file)
    assert rule.code is Code.NOT_FOUND
    file.write_text("{")
    with pytest.raises(BadRule, match=r"faults\.json"):
        read_rules(file)
