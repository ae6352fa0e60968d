"""Passing one HTTP request on: streamed both ways, ended when its client goes, sent again only past a closed gate."""

import asyncio

import httpx2
from starlette.types import Receive, Send

from functions.gateway.activity import Presence, Stay
from functions.gateway.body import ClientBody, ClientGone
from functions.gateway.headers import to_client
from functions.gateway.readiness import GATES, Readiness
from functions.gateway.tallies import Tallies
from functions.gateway.upstream import Upstream, refuse_the_platforms
from functions.gateway.visit import Visit, has_body
from shared.domain.errors import Unavailable
from shared.domain.workstation import Workstation
from shared.log import logger

EVENT_STREAM = "text/event-stream"


class HttpForwarder:
    """Serves the HTTP requests of owners."""

    def __init__(
        self, readiness: Readiness, upstream: Upstream, presence: Presence, tallies: Tallies
    ) -> None:
        self._readiness = readiness
        self._upstream = upstream
        self._presence = presence
        self._tallies = tallies

    async def serve(self, visit: Visit, receive: Receive, send: Send) -> None:
        """Raises DormouseError before anything was sent to the client."""
        body = ClientBody(receive)
        if not has_body(visit):
            await body.skip()
        exchange = asyncio.create_task(self._exchange(visit, body, send))
        leaving = asyncio.create_task(body.departure())
        try:
            await asyncio.wait((exchange, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not exchange.done():
                exchange.cancel()
            await asyncio.wait((exchange, leaving))
        if not exchange.cancelled() and not isinstance(exchange.exception(), ClientGone):
            exchange.result()

    async def _exchange(self, visit: Visit, body: ClientBody, send: Send) -> None:
        workstation = await self._readiness.running(visit)
        with self._presence.request(visit, workstation) as stay:
            answer = await self._answer(visit, workstation, body)
            try:
                await _relay(visit, answer, stay, send)
            finally:
                await answer.aclose()

    async def _answer(self, visit: Visit, workstation: Workstation, body: ClientBody) -> httpx2.Response:
        """The first answer that does not come from a closed gate."""
        while True:
            self._tallies.add(workstation)
            answer = await self._upstream.send(visit, workstation, body)
            gate = closed_gate(answer.status_code, answer.headers.get("dormouse-gate", ""))
            if not gate:
                return await _agents(answer)
            await answer.aclose()
            if not body.replayable:
                raise self._readiness.refused(workstation, gate)
            workstation = await self._readiness.reopen(visit, workstation, gate)


async def _agents(answer: httpx2.Response) -> httpx2.Response:
    """The answer, if it comes from an agent. Raises Unavailable."""
    try:
        refuse_the_platforms(answer.status_code, answer.headers)
    except Unavailable:
        await answer.aclose()
        raise
    return answer


def closed_gate(status: int, gate: str) -> str:
    """The agent's state where that is what kept a request out, else nothing."""
    return gate if status == 503 and gate in GATES else ""


async def _relay(visit: Visit, answer: httpx2.Response, stay: Stay, send: Send) -> None:
    streams = answer.headers.get("content-type", "").startswith(EVENT_STREAM)
    stay.ends_as_activity = not streams
    headers = to_client(answer.headers.raw, visit.target.prefix, own=visit.target.is_own)
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    try:
        async for piece in answer.aiter_raw():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except httpx2.TransportError as error:
        # Left unfinished, so that the client sees that it broke off.
        logger().info("an answer broke off", workstation=visit.id, why=type(error).__name__)
        stay.ends_as_activity = stay.holds_after = False
        return
    stay.holds_after = not streams
    await send({"type": "http.response.body", "body": b""})
