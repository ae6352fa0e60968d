"""How does a client open a terminal, leave it and come back to it?"""

import asyncio
import json
import re
import secrets
from typing import Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from agent.activity.model import Source
from agent.control.instance import Instance
from agent.errors import AgentError, not_now
from agent.execution.children import Children
from agent.execution.command import shell
from agent.fields import BAD_REQUEST
from agent.relay.connections import ClosedByAgentError
from agent.terminal.terminal import CHUNK, Terminal

MOST_RUNNING = 32
MOST_ENDED = 8
LARGEST_SIDE = 1000
IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")
NUMBER = re.compile(r"[0-9]{1,15}")
LARGEST = {"cols": LARGEST_SIDE, "rows": LARGEST_SIDE, "after": 10**15}
UNSUPPORTED = 1003


class TerminalRoutes:
    """The terminals of one instance."""

    def __init__(self, instance: Instance, children: Children) -> None:
        self._instance = instance
        self._children = children
        self._terminals: dict[str, Terminal] = {}

    def routes(self) -> list[WebSocketRoute]:
        """Return the routes."""
        return [WebSocketRoute("/-/terminal", self._attach)]

    def end_all(self) -> None:
        """Hang up every terminal."""
        for terminal in self._terminals.values():
            terminal.end()

    async def _attach(self, client: WebSocket) -> None:
        try:
            self._instance.admit(client.headers)
            query = _query(client)
            terminal = await self._terminal(query)
            terminal.clients.close_all()
            with self._instance.connections.held(), terminal.clients.held():
                await self._serve(client, terminal, query.get("after", 0))
        except AgentError as error:
            await client.send_denial_response(error.response())
        except ClosedByAgentError as closed:
            await client.close(closed.code, closed.reason)

    async def _terminal(self, query: dict[str, Any]) -> Terminal:
        """Return the terminal with that id, or a new one under it: after a restart the old one is gone."""
        identifier = query.get("id") or secrets.token_hex(8)
        terminal = self._terminals.get(identifier)
        if terminal is None:
            terminal = await self._open(identifier, query)
        elif "cols" in query and "rows" in query:
            terminal.resize(query["cols"], query["rows"])
        return terminal

    async def _open(self, identifier: str, query: dict[str, Any]) -> Terminal:
        self._forget_oldest()
        if len(self._terminals) >= MOST_RUNNING + MOST_ENDED:
            raise AgentError(429, f"{MOST_RUNNING} terminals are open already; end one with `exit`")
        settings = self._instance.settings
        terminal = self._terminals[identifier] = Terminal(identifier)
        terminal.resize(query.get("cols", 80), query.get("rows", 24))
        environment = settings.user_environment
        self._instance.touch(Source.TERMINAL)
        try:
            await terminal.start(self._children, shell(environment), str(settings.workspace), environment)
        except OSError as error:
            del self._terminals[identifier]
            raise not_now(f"the shell could not be started: {error.strerror}") from error
        return terminal

    def _forget_oldest(self) -> None:
        ended = [one.id for one in self._terminals.values() if one.exit_code is not None]
        for oldest in ended[:-MOST_ENDED]:
            del self._terminals[oldest]

    async def _serve(self, client: WebSocket, terminal: Terminal, after: int) -> None:
        await client.accept()
        if after > terminal.ring.end:
            after = 0  # an offset of an earlier terminal under this id
        both = {
            asyncio.create_task(_show(client, terminal, after)),
            asyncio.create_task(self._listen(client, terminal)),
        }
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.wait(both)
        for task in done:
            task.result()

    async def _listen(self, client: WebSocket, terminal: Terminal) -> None:
        while (message := await client.receive())["type"] == "websocket.receive":
            self._instance.touch(Source.TERMINAL)
            if message.get("bytes") is not None:
                await terminal.write(message["bytes"])
            elif not _resized(terminal, message["text"]):
                await client.close(UNSUPPORTED, "text must be a resize; what is typed goes in binary frames")
                return


async def _show(client: WebSocket, terminal: Terminal, after: int) -> None:
    """Send what the ring has from `after` on, then what comes, then the exit code."""
    position, data = terminal.ring.since(after, CHUNK)
    try:
        await client.send_text(json.dumps({"id": terminal.id, "offset": position}))
        while data or terminal.exit_code is None:
            if data:
                await client.send_bytes(data)
            else:
                await terminal.changed()
            wanted = position + len(data)
            position, data = terminal.ring.since(wanted, CHUNK)
            if position != wanted:  # the client was too slow for the ring
                await client.send_text(json.dumps({"offset": position}))
        await client.send_text(json.dumps({"exitCode": terminal.exit_code}))
        await client.close()
    except WebSocketDisconnect:
        return


def _resized(terminal: Terminal, text: str) -> bool:
    try:
        size = json.loads(text)["resize"]
        columns, rows = size["cols"], size["rows"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    if not all(type(side) is int and 0 < side <= LARGEST_SIDE for side in (columns, rows)):
        return False
    terminal.resize(columns, rows)
    return True


def _query(client: WebSocket) -> dict[str, Any]:
    """Return the query's values; raises a 400 that names every bad one."""
    values: dict[str, Any] = {}
    violations = []
    for name, text in client.query_params.items():
        if name == "id" and IDENTIFIER.fullmatch(text):
            values[name] = text
        elif name in LARGEST and NUMBER.fullmatch(text) and (name == "after" or int(text)):
            values[name] = min(int(text), LARGEST[name])
        elif name == "id" or name in LARGEST:
            violations.append({"field": name, "description": f"is not usable: {text[:64]!r}"})
    if violations:
        names = ", ".join(violation["field"] for violation in violations)
        details = [{"@type": BAD_REQUEST, "fieldViolations": violations}]
        raise AgentError(400, f"the request has bad parameters: {names}", details)
    return values
