"""How does one request get an instance, and how long may it stay there? Admitted, relayed, answered or cut.

The time that it may take begins with its admission and goes by the emulator's clock; the faults of the method `Request`
meet it on its way in, and on its way out between the container's answer and the client.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from emulators.clock import Timer
from emulators.cloud_run.front.backend import Backend
from emulators.cloud_run.front.bodies import Truncated
from emulators.cloud_run.front.heads import Request
from emulators.cloud_run.front.refusals import Refusal
from emulators.cloud_run.front.relay import NoResponse, Relay, Unreachable
from emulators.cloud_run.instances.admission import Exhausted, Unavailable
from emulators.cloud_run.instances.instance import Instance
from emulators.cloud_run.runtime.contract import RuntimeFailure
from emulators.errors import ApiError
from emulators.faults.gate import Dropped
from emulators.faults.rule import Rule, When

_ATTEMPTS = 3
_DEATH_SECONDS = 0.2
_KILL_SECONDS = 10.0


class Broken(Exception):
    """The client's connection is to break: the end of a response that has begun can be shown in no other way."""


class Visit:
    """One request's stay at an instance."""

    def __init__(
        self,
        request: Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        backend: Backend,
    ) -> None:
        self._relay = Relay(request, reader, writer)
        self._backend = backend
        self._instance: Instance | None = None
        self._reached = False
        self._cut: Timer | None = None
        self._longest = 0.0

    @property
    def tunnel(self) -> bool:
        """Whether it has become a WebSocket."""
        return self._relay.tunnel

    async def run(self) -> bool:
        """Relay it; True when the client's connection can carry another request. Raises Refusal or Broken."""
        try:
            async with asyncio.timeout(None) as limit:
                await self._backend.faulty(lambda: self._ask(limit))
                return await self._relay.answer()
        except ApiError as error:
            raise Refusal(error.code.http, error.message) from error
        except Dropped as error:
            raise Broken from error
        except TimeoutError:
            raise self._late() from None
        except (Truncated, ExceptionGroup) as error:
            if self._relay.begun:
                raise Broken from error
            raise
        finally:
            # A client that goes away may interrupt the first, and must not keep its place.
            try:
                await self._relay.close()
            finally:
                self._leave()

    async def _ask(self, limit: asyncio.Timeout) -> None:
        """Bring the request to an instance and wait for the head of its response."""
        for _ in range(_ATTEMPTS):
            instance = self._instance = await self._admitted()
            self._limit(limit, instance.revision.timeout)
            try:
                await self._ask_one(instance)
                return
            except Unreachable:
                # It has just died, or has closed its port: the request is whole, so another instance can have it.
                if instance.alive:
                    instance.fail("The instance does not accept connections any more.")
                self._leave()
            except NoResponse:
                # Its death is noticed before its client is answered, so that the next request goes elsewhere.
                await asyncio.wait({instance.life}, timeout=_DEATH_SECONDS)
                raise
        raise Refusal(503, "The instance does not accept connections.")

    async def _ask_one(self, instance: Instance) -> None:
        try:
            await self._relay.connect(*await instance.awake())
        except RuntimeFailure as error:
            raise Refusal(503, str(error)) from error
        self._reached = True
        instance.account.request_began()
        killer = self._backend.kills()
        if killer is not None and killer.when is When.BEFORE:
            await _kill(instance, killer)
        await self._relay.ask()
        if killer is not None:
            await _kill(instance, killer)

    async def _admitted(self) -> Instance:
        try:
            return await self._backend.target.admit()
        except Unavailable as error:
            raise Refusal(503, str(error)) from error
        except Exhausted as error:
            raise Refusal(429, str(error)) from error

    def _limit(self, limit: asyncio.Timeout, longest: timedelta) -> None:
        self._longest = longest.total_seconds()
        loop = asyncio.get_running_loop()
        self._cut = self._backend.clock.call_later(self._longest, lambda: limit.reschedule(loop.time()))

    def _late(self) -> Exception:
        if self._relay.begun:
            return Broken()
        return Refusal(504, f"The request was cut after the service's timeout of {self._longest:g} s.")

    def _leave(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
        if self._instance is not None:
            if self._reached:
                self._instance.account.request_ended()
            self._instance.release()
        self._instance, self._reached = None, False


async def _kill(instance: Instance, fault: Rule) -> None:
    instance.fail(f"Killed by the fault '{fault.name}'.")
    await asyncio.wait({instance.life}, timeout=_KILL_SECONDS)
    raise Refusal(503, "The instance was killed while it had the request.")
