"""For tests and operators, not part of any Google API: the emulator's clock and its faults.

GET    /emulator/v1/clock                      {"now", "aheadSeconds", "held"}
POST   /emulator/v1/clock:advance              {"seconds": 3600}
POST   /emulator/v1/clock:hold, clock:resume
GET    /emulator/v1/faults                     {"faults": [...]}, each with its hits
POST   /emulator/v1/faults                     one rule, or a list of them, put in force
DELETE /emulator/v1/faults, /faults/{name}
"""

import asyncio
import json
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulators.clock import Clock
from emulators.errors import ApiError, Code
from emulators.faults.gate import FaultGate
from emulators.faults.rule import BadRule, parse_rule

_CLOCK = "/emulator/v1/clock"
_FAULTS = "/emulator/v1/faults"
# Beyond what anybody tests, and well before times end with the year 9999: a bill goes through every month on the way.
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class ControlRoutes:
    """The routes that every emulator serves beside its API."""

    def __init__(self, clock: Clock, gate: FaultGate) -> None:
        self._clock = clock
        self._gate = gate

    def routes(self) -> list[Route]:
        """The route table."""
        return [
            Route(_CLOCK, self.time, methods=["GET"]),
            Route(f"{_CLOCK}:advance", self.advance, methods=["POST"]),
            Route(f"{_CLOCK}:hold", self.hold, methods=["POST"]),
            Route(f"{_CLOCK}:resume", self.resume, methods=["POST"]),
            Route(_FAULTS, self.faults, methods=["GET"]),
            Route(_FAULTS, self.set_faults, methods=["POST"]),
            Route(_FAULTS, self.clear, methods=["DELETE"]),
            Route(f"{_FAULTS}/{{name:path}}", self.remove, methods=["DELETE"]),
        ]

    async def time(self, _: Request) -> Response:
        """What time it is."""
        return self._time()

    async def advance(self, request: Request) -> Response:
        """Move the clock on; answers when every timer on the way has been called, and stops when nobody waits."""
        document = await _document(request)
        seconds = document.get("seconds") if isinstance(document, dict) else None
        most = (_LATEST - self._clock.now()).total_seconds()
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= most:
            message = f'Send {{"seconds": N}} with N from 0 to {most:.0f}, which is the year {_LATEST.year}.'
            raise ApiError(Code.INVALID_ARGUMENT, message, "seconds")
        await _while_asked(request, self._clock.advance(timedelta(seconds=seconds)))
        return self._time()

    async def hold(self, _: Request) -> Response:
        """Stop the clock but for `advance`."""
        self._clock.hold()
        return self._time()

    async def resume(self, _: Request) -> Response:
        """Let the clock run with real time again."""
        self._clock.go_on()
        return self._time()

    async def faults(self, _: Request) -> Response:
        """The rules in force and how often each has hit."""
        return self._faults()

    async def set_faults(self, request: Request) -> Response:
        """Put rules in force: all of them, or none when one cannot be used."""
        document = await _document(request)
        try:
            rules = [parse_rule(entry) for entry in (document if isinstance(document, list) else [document])]
        except BadRule as error:
            raise ApiError(Code.INVALID_ARGUMENT, str(error)) from error
        for rule in rules:
            self._gate.set(rule)
        return self._faults()

    async def clear(self, _: Request) -> Response:
        """Lift all rules."""
        self._gate.clear()
        return self._faults()

    async def remove(self, request: Request) -> Response:
        """Lift one rule."""
        name = request.path_params["name"]
        if not self._gate.remove(name):
            raise ApiError(Code.NOT_FOUND, f"There is no fault '{name}'.")
        return self._faults()

    def _time(self) -> Response:
        now, ahead = self._clock.now().isoformat(), self._clock.ahead.total_seconds()
        return JSONResponse({"now": now, "aheadSeconds": round(ahead, 3), "held": self._clock.held})

    def _faults(self) -> Response:
        return JSONResponse({"faults": [rule.describe() for rule in self._gate.rules()]})


async def _while_asked(request: Request, work: Coroutine[None, None, None]) -> None:
    """Do the work, or as much of it as is done when the client goes away."""
    working = asyncio.create_task(work)
    leaving = asyncio.ensure_future(request.receive())
    await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
    leaving.cancel()
    if not working.done():
        working.cancel()
    await asyncio.wait({working})
    if not working.cancelled():
        working.result()


async def _document(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise ApiError(Code.INVALID_ARGUMENT, f"The body is not JSON: {error}.") from error
