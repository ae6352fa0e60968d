"""How does a client run a command, come back to it and see what runs?"""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from agent import clock
from agent.activity.model import Source
from agent.control.instance import Instance
from agent.errors import AgentError, not_now
from agent.execution.children import Children
from agent.execution.command import read_command
from agent.execution.execution import Execution
from agent.fields import read_fields
from agent.relay.http import in_flight

MOST_RUNNING = 64
MOST_ENDED = 16
NDJSON = "application/x-ndjson"


class ExecutionRoutes:
    """Runs commands and remembers the last ones that ended."""

    def __init__(self, instance: Instance, children: Children) -> None:
        self._instance = instance
        self._children = children
        self._executions: dict[str, Execution] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/-/exec", self._start, methods=["POST"]),
            Route("/-/exec", self._list, methods=["GET"]),
            Route("/-/exec/{id}", self._reattach, methods=["GET"]),
        ]

    def end_all(self) -> None:
        """Ask every running command to end."""
        for execution in self._executions.values():
            execution.end()

    async def _start(self, request: Request) -> Response:
        self._instance.admit(request.headers)
        with in_flight(self._instance, Source.EXEC):
            settings = self._instance.settings
            fields = await read_fields(request)
            command = read_command(fields, settings.workspace, settings.user_environment)
            self._instance.admit(request.headers)
            execution = Execution(command, lambda: self._instance.thawed)
            await self._run(execution)
        return _stream(execution)

    async def _run(self, execution: Execution) -> None:
        if sum(one.ended is None for one in self._executions.values()) >= MOST_RUNNING:
            raise AgentError(429, f"{MOST_RUNNING} commands run already; wait for one to end")
        self._executions[execution.id] = execution
        try:
            await execution.start(self._children)
        except OSError as error:
            del self._executions[execution.id]
            raise not_now(f"the command could not be started: {error.strerror}") from error
        self._account(execution)
        task = asyncio.create_task(self._finish(execution))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _account(self, execution: Execution) -> None:
        assert execution.child is not None
        pid = execution.child.pid
        activity = self._instance.activity
        activity.exec_started(pid, execution.command.name, clock.now())
        execution.child.exited.add_done_callback(lambda _: activity.exec_ended(pid, clock.now()))

    async def _finish(self, execution: Execution) -> None:
        await execution.run()
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        ended = [one.id for one in self._executions.values() if one.ended is not None]
        for oldest in ended[:-MOST_ENDED]:
            del self._executions[oldest]

    async def _list(self, request: Request) -> Response:
        self._instance.admit(request.headers)
        self._instance.touch(Source.EXEC)
        return JSONResponse({"executions": [one.describe() for one in self._executions.values()]})

    async def _reattach(self, request: Request) -> Response:
        self._instance.admit(request.headers)
        self._instance.touch(Source.EXEC)
        execution = self._executions.get(request.path_params["id"])
        if execution is None:
            raise AgentError(404, "there is no such execution; the agent remembers the last ones only")
        return _stream(execution)


def _stream(execution: Execution) -> Response:
    headers = {"Dormouse-Exec": execution.id, "Cache-Control": "no-store"}
    return StreamingResponse(execution.follow(), media_type=NDJSON, headers=headers)
