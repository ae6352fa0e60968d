"""Has the container its CPU? Taken and given back one after the other, however fast the wishes change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum

from emulators.cloud_run.runtime.contract import Container, RuntimeFailure

# It goes away shortly after the last response, not within it.
_SOON_SECONDS = 0.02
# One that is throttled still gets a twenty-fifth of the time.
_SLICE_SECONDS = 0.02
_BETWEEN_SLICES_SECONDS = 0.48


class IdleCpu(StrEnum):
    """What a `cpu_idle` instance has while no request is open."""

    FROZEN = "frozen"
    THROTTLED = "throttled"
    FULL = "full"


class Cpu:
    """The CPU of one container.

    `frozen` is told when it has been taken and nobody has wanted it back since; `broken` when it cannot be given back.
    Where it is `throttled` the container has a short slice of it twice a second even then.
    """

    def __init__(
        self,
        container: Container,
        *,
        frozen: Callable[[], None],
        broken: Callable[[str], None],
        throttled: bool = False,
    ) -> None:
        self._container = container
        self._throttled = throttled
        self._frozen = frozen
        self._broken = broken
        self._wanted = True
        self._has = True
        self._work: asyncio.Task[None] | None = None
        self._soon: asyncio.TimerHandle | None = None

    def take_soon(self) -> None:
        """Take it away, unless it is given again before that."""
        self.leave()
        self._soon = asyncio.get_running_loop().call_later(_SOON_SECONDS, self.take)

    def leave(self) -> None:
        """Do not take away what was to be taken soon."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None

    def take(self) -> None:
        """Begin to take it away."""
        self._want(has=False)

    def give(self) -> None:
        """Begin to give it back; it has it when `given` returns."""
        self.leave()
        self._want(has=True)

    async def given(self) -> None:
        """Return when the container has its CPU; raises RuntimeFailure when it cannot be given."""
        self.give()
        if self._work is not None:
            await asyncio.shield(self._work)

    def _want(self, *, has: bool) -> None:
        self._wanted = has
        if self._work is None and self._has != has:
            self._work = asyncio.create_task(self._follow())
            self._work.add_done_callback(self._settled)

    async def _follow(self) -> None:
        try:
            while self._has != self._wanted:
                await (self._thaw() if self._wanted else self._freeze())
        finally:
            self._work = None
        if not self._has:
            self._frozen()
            self._slice_later()

    def _slice_later(self) -> None:
        if self._throttled:
            loop = asyncio.get_running_loop()
            self._soon = loop.call_later(_BETWEEN_SLICES_SECONDS, self._begin_slice)

    def _begin_slice(self) -> None:
        if self._work is None and not self._has:
            self._work = asyncio.create_task(self._slice())
            self._work.add_done_callback(self._settled)

    async def _slice(self) -> None:
        try:
            await self._thaw()
            await asyncio.sleep(_SLICE_SECONDS)
            while self._has != self._wanted:
                await (self._thaw() if self._wanted else self._freeze())
        finally:
            self._work = None
        if not self._has:
            self._slice_later()

    async def _thaw(self) -> None:
        await self._container.thaw()
        self._has = True

    async def _freeze(self) -> None:
        # What fails half-way may have frozen it, so it counts as frozen until a thaw has succeeded.
        self._has = False
        try:
            await self._container.freeze()
        except RuntimeFailure:
            self._wanted = True

    def _settled(self, work: asyncio.Task[None]) -> None:
        if not work.cancelled() and (error := work.exception()) is not None:
            self._broken(str(error))
