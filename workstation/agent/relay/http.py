"""How does a plain HTTP request reach the user's server? Streamed both ways, and counted while it is in flight.

An answer of type text/event-stream is an open connection like a silent WebSocket: once its head is sent it
no longer counts as work, and a quiesce closes it.
"""

import asyncio
import contextlib
from collections.abc import Iterator

from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from agent import clock
from agent.activity.model import Source
from agent.control.instance import Instance
from agent.errors import AgentError, not_now
from agent.relay.connections import ClosedByAgentError
from agent.relay.headers import request_headers, response_headers
from agent.relay.target import nothing_listens, target_path, target_port
from agent.relay.upstream import BrokenAnswerError, Upstream, connect


class InFlight:
    """A request that counts as activity until it is released, at the latest when the block ends."""

    def __init__(self, instance: Instance, source: Source) -> None:
        self._instance = instance
        self._source = source
        self._counted = False

    def count(self) -> None:
        """Begin to count."""
        self._counted = True
        self._instance.activity.begin(self._source, clock.now())

    def release(self) -> None:
        """Stop to count, once."""
        if self._counted:
            self._counted = False
            self._instance.activity.end(self._source, clock.now())


@contextlib.contextmanager
def in_flight(instance: Instance, source: Source) -> Iterator[InFlight]:
    """Count a user's request while the block runs."""
    counted = InFlight(instance, source)
    counted.count()
    try:
        yield counted
    finally:
        counted.release()


class HttpRelay:
    """The ASGI application for plain HTTP to the user's server."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Relay one request; a client that goes away ends the request upstream as well."""
        request = Request(scope, receive)
        begun = False

        async def watched_send(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._relay(request, watched_send)
        except (AgentError, ClosedByAgentError) as error:
            # An answer that has begun is left unfinished: the client sees that it broke off.
            if not begun:
                refusal = error if isinstance(error, AgentError) else not_now("the workstation goes to sleep")
                await refusal.response()(scope, receive, send)

    async def _relay(self, request: Request, send: Send) -> None:
        self._instance.admit(request.headers)
        port = target_port(request, self._instance.settings)
        with self._instance.connections.held(), in_flight(self._instance, Source.REQUEST) as counted:
            await self._exchange(request, send, port, counted)

    async def _exchange(self, request: Request, send: Send, port: int, counted: InFlight) -> None:
        try:
            upstream = await connect(port, request.method)
        except OSError as error:
            raise nothing_listens(port) from error
        answering = asyncio.create_task(self._answer(upstream, send, port, counted))
        sending = asyncio.create_task(self._send(upstream, request))
        try:
            await self._race(answering, sending)
        finally:
            for task in (answering, sending):
                task.cancel()
            upstream.close()

    async def _race(self, answering: "asyncio.Task[None]", sending: "asyncio.Task[None]") -> None:
        """Wait for the answer or the client's departure, whichever comes first."""
        await asyncio.wait((answering, sending), return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            answering.result()

    async def _send(self, upstream: Upstream, request: Request) -> None:
        """Send the request, then watch for the client's departure; returns when the client has gone."""
        headers = request_headers(request.headers.raw)
        chunked = b"transfer-encoding" in {name for name, _ in request.headers.raw}
        upstream.send_head(target_path(request), request.method, headers, chunked=chunked)
        while True:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                return
            # A server that answers before it has read everything may close its end: the answer still counts.
            with contextlib.suppress(OSError):
                await self._pass_on(upstream, message.get("body", b""), more=message.get("more_body", False))

    async def _pass_on(self, upstream: Upstream, body: bytes, *, more: bool) -> None:
        if body:
            self._instance.touch(Source.REQUEST)
        await upstream.send_body(body)
        if not more:
            await upstream.end_body()

    async def _answer(self, upstream: Upstream, send: Send, port: int, counted: InFlight) -> None:
        try:
            await upstream.read_head()
        except BrokenAnswerError as error:
            raise AgentError(
                502, f"the server on port {port} gave no answer: {error}; see its log"
            ) from error
        headers = response_headers(upstream.answer.headers)
        await send({"type": "http.response.start", "status": upstream.answer.status, "headers": headers})
        if dict(headers).get(b"content-type", b"").startswith(b"text/event-stream"):
            counted.release()
        with contextlib.suppress(BrokenAnswerError):
            # A body that breaks off is left unfinished, so that the client sees it break off too.
            while (piece := await upstream.read_body()) is not None:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
