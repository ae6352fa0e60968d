"""What a relay does with a call that springs a trip: who has seen it, and what its caller is told."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import httpx2

from proof.cast import Moment, Trip, Victim
from proof.relays.http import HttpRelay
from proof.tripwire import Call, Tripwire

BODY = bytes(range(256)) * 400


class Upstream:
    """A server that answers with what it was sent, in chunks or as a whole."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), b":0"
        )
        body = await reader.readexactly(int(length.split(b":")[1]))
        self.seen.append(head.split(b" ", 2)[1])
        if b"/chunked" in head:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            writer.write(
                b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]) if part)
            )
            writer.write(b"0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()


def relayed(
    trips: list[Trip], story: Callable[[httpx2.AsyncClient, str], Awaitable[None]]
) -> tuple[list[bytes], Tripwire]:
    """What the server saw while the story was told through a relay, and the tripwire afterwards."""

    async def tell() -> tuple[list[bytes], Tripwire]:
        upstream, tripwire = Upstream(), Tripwire(lambda trip: f"{trip.victim}")
        tripwire.arm(trips)
        async with AsyncExitStack() as open_:
            server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
            open_.callback(server.close)
            port = server.sockets[0].getsockname()[1]
            relay = await HttpRelay("api", "cloud_run", lambda: port, lambda _, path: path, tripwire).start()
            open_.callback(relay.close)
            client = await open_.enter_async_context(httpx2.AsyncClient(trust_env=False))
            await story(client, f"http://127.0.0.1:{relay.sockets[0].getsockname()[1]}")
        return upstream.seen, tripwire

    return asyncio.run(tell())


def trip(victim: Victim, moment: Moment, ordinal: int = 1) -> Trip:
    return Trip(victim=victim, caller="api", call="/b", ordinal=ordinal, moment=moment)


async def is_cut_off(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        await client.get(url)
    except httpx2.TransportError:
        return True
    return False


def test_it_passes_everything_on_byte_for_byte_and_counts_each_call() -> None:
    async def story(client: httpx2.AsyncClient, base: str) -> None:
        for path in ("/whole", "/chunked", "/whole"):
            assert (await client.post(base + path, content=BODY)).content == BODY

    seen, tripwire = relayed([], story)

    assert seen == [b"/whole", b"/chunked", b"/whole"]
    assert tripwire.counted[Call("api", "cloud_run", "/whole")] == 2


def test_it_strikes_at_the_planned_call_and_at_no_other() -> None:
    async def story(client: httpx2.AsyncClient, base: str) -> None:
        for path in ("/a", "/b", "/a", "/b", "/b"):
            assert (await client.get(base + path)).is_success

    _, tripwire = relayed([trip(Victim.INSTANCE, Moment.BEFORE, ordinal=2)], story)

    (strike,) = tripwire.strikes
    assert (strike.caller, strike.hit) == ("api", "instance")
    assert tripwire.counted[Call("api", "cloud_run", "/b")] == 3


def test_after_the_answer_of_one_that_dies_the_call_has_had_its_effect_and_nobody_is_told() -> None:
    async def story(client: httpx2.AsyncClient, base: str) -> None:
        assert await is_cut_off(client, base + "/b")
        assert (await client.get(base + "/b")).is_success

    seen, _ = relayed([trip(Victim.CLOUD_RUN, Moment.AFTER)], story)

    assert seen == [b"/b", b"/b"]


def test_a_call_to_one_that_is_away_is_cut_off() -> None:
    async def tell() -> bool:
        tripwire = Tripwire(lambda _: "")
        relay = await HttpRelay("api", "cloud_run", lambda: 1, lambda _, path: path, tripwire).start()
        async with httpx2.AsyncClient(trust_env=False) as client:
            cut_off = await is_cut_off(client, f"http://127.0.0.1:{relay.sockets[0].getsockname()[1]}/b")
        relay.close()
        return cut_off

    assert asyncio.run(tell())
