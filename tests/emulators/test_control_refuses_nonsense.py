"""A wrong call of the control routes is told so, and leaves the emulator's clock and faults as they were."""

import asyncio
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette

from emulators.clock import Clock
from emulators.control import ControlRoutes
from emulators.errors import EXCEPTION_HANDLERS
from emulators.faults.gate import FaultGate


def answer(method: str, path: str, body: str, clock: Clock, gate: FaultGate) -> httpx2.Response:
    app = Starlette(routes=ControlRoutes(clock, gate).routes(), exception_handlers=EXCEPTION_HANDLERS)

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, f"/emulator/v1/{path}", content=body)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "seconds",
    ["NaN", "Infinity", "1e18", "1e400", "1" + "0" * 400, "3e11", "-1", "true", '"1"', "[" * 100_000],
)
def test_the_clock_does_not_move_by_what_is_no_time(seconds: str):
    clock = Clock()
    before = clock.now()
    refused = answer("POST", "clock:advance", f'{{"seconds": {seconds}}}', clock, FaultGate(clock))
    assert refused.status_code == 400
    assert (clock.now() - before).total_seconds() < 3600


def test_no_rule_of_a_list_is_in_force_when_one_cannot_be_shown():
    gate = FaultGate(Clock())
    rules = '[{"name": "a", "effect": "drop"}, {"name": "b", "effect": "delay", "seconds": NaN}]'
    assert answer("POST", "faults", rules, Clock(), gate).status_code == 400
    assert gate.rules() == []


@pytest.mark.parametrize("name", ["a/b", ""])
def test_a_rule_of_any_name_can_be_lifted(name: str):
    gate = FaultGate(Clock())
    assert (
        answer("POST", "faults", f'{{"name": "{name}", "effect": "drop"}}', Clock(), gate).status_code == 200
    )
    assert answer("DELETE", f"faults/{name}", "", Clock(), gate).status_code == 200
    assert gate.rules() == []


@pytest.mark.parametrize("kept", ["", "[]", "{}", '{"aheadSeconds": null}', '{"aheadSeconds": "x"}'])
def test_a_file_that_tells_no_shift_does_not_keep_the_emulator_from_starting(kept: str, tmp_path: Path):
    file = tmp_path / "clock.json"
    file.write_text(kept)
    assert abs(Clock(file).ahead.total_seconds()) < 3600
