"""How is a client's body passed on, and could it be sent once more? Streamed; only a short beginning is kept."""

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Receive

KEPT = 64 * 1024


class ClientGone(Exception):
    """The client has closed its connection."""


class ClientBody:
    """One request's body, which may be read again from its beginning while it is still `replayable`."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._kept: list[bytes] = []
        self._size = 0
        self._complete = asyncio.Event()

    @property
    def replayable(self) -> bool:
        """Whether all that was read of it is kept."""
        return self._size <= KEPT

    async def skip(self) -> None:
        """Read the body of a request that has none, so that its client's departure can be seen."""
        async for _ in self:
            pass

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Raises ClientGone."""
        assert self.replayable, "the beginning is gone"
        for piece in tuple(self._kept):
            yield piece
        while not self._complete.is_set():
            piece = await self._next()
            if piece:
                yield piece

    async def completed(self) -> None:
        """Return once all of it was read."""
        await self._complete.wait()

    async def departure(self) -> None:
        """Return once the body was read and the client has gone."""
        await self._complete.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = message.get("body", b"")
        self._size += len(piece)
        if self.replayable:
            self._kept.append(piece)
        else:
            self._kept.clear()
        if not message.get("more_body", False):
            self._complete.set()
        return piece
