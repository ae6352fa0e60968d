"""What does the agent say while it is held? One open request; a line every few seconds, read with little trust."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import httpx2
import msgspec

from functions.gateway.upstream import BOOT, Upstream, content
from shared.domain.errors import Unavailable
from shared.domain.names import audience
from shared.domain.observed import Busy
from shared.ports import Address

LONGEST_SECONDS = 3600
SILENCE_SECONDS = 30.0
LONGEST_LINE = 64 * 1024
_CAUSE_LENGTH = 200


class _Cause(msgspec.Struct, frozen=True):
    source: str = ""
    name: str = ""


class Report(msgspec.Struct, frozen=True):
    """One line."""

    busy: Busy
    causes: Sequence[_Cause] = ()

    @property
    def cause(self) -> str:
        """What keeps it busy, on one line of bearable length."""
        named = ", ".join(cause.name or cause.source for cause in self.causes[:5])
        return " ".join(named.split())[:_CAUSE_LENGTH]


class HoldStream:
    """One open hold; its being open is what gives the workstation CPU."""

    def __init__(self, answer: httpx2.Response, opened: float) -> None:
        self.opened = opened
        self._answer = answer
        self._lines = _lines(answer)

    async def next(self) -> Report | None:
        """The next line, None at the end. Raises Unavailable where what comes is no agent's word, or nothing comes."""
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                line = await anext(self._lines, None)
            return None if line is None else msgspec.json.decode(line, type=Report)
        except (TimeoutError, httpx2.TransportError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unavailable("The hold broke off; the next sweep asks for another.", "HOLD_BROKE") from error

    async def close(self) -> None:
        """End the request."""
        await self._lines.aclose()
        await self._answer.aclose()


async def open_hold(upstream: Upstream, address: Address) -> HoldStream:
    """Raises Unavailable where the agent refuses or cannot be reached."""
    invoker = await upstream.invoker(address.uri)
    control = await upstream.control(audience(address.service, address.epoch))
    body = content(msgspec.json.encode({"maxSeconds": LONGEST_SECONDS}))
    meant = [(BOOT.encode(), str(address.boot_id).encode())]
    answer = await upstream.call(address.uri, "POST", b"/-/hold", [*invoker, *control, *meant], body)
    if answer.status_code != 200:
        await answer.aclose()
        raise Unavailable(f"The agent answers a hold with {answer.status_code}.", "HOLD_REFUSED")
    return HoldStream(answer, asyncio.get_running_loop().time())


async def _lines(answer: httpx2.Response) -> AsyncGenerator[bytes, None]:
    rest = b""
    async with aclosing(answer.aiter_raw()) as pieces:
        async for piece in pieces:
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line
            if len(rest) > LONGEST_LINE:
                raise httpx2.ReadError("a line without end")
