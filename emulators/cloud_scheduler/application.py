"""How do the parts fit together?  The one place that builds them; the jobs run as long as the application."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from emulators.clock import Clock
from emulators.cloud_scheduler.api import SchedulerApi
from emulators.cloud_scheduler.arguments import Arguments
from emulators.cloud_scheduler.attempts import AttemptLog
from emulators.cloud_scheduler.cron_time import CronTime
from emulators.cloud_scheduler.delivery import Delivery
from emulators.cloud_scheduler.jobs import Jobs
from emulators.cloud_scheduler.jobs_file import deploy
from emulators.cloud_scheduler.names import Places
from emulators.cloud_scheduler.runner import Tools
from emulators.cloud_scheduler.store import Store
from emulators.cloud_scheduler.tokens import Tokens
from emulators.control import ControlRoutes
from emulators.errors import EXCEPTION_HANDLERS
from emulators.faults.gate import FaultGate
from emulators.rpc import grpc_server, rest
from emulators.serving import HostCheck, ready

_LOOK_SECONDS = 1.0


def application(arguments: Arguments) -> ASGIApp:
    """The emulator; its lifespan is that of the jobs, and of the gRPC port."""
    state = arguments.state
    clock = Clock(state and state / "clock.json")
    gate = FaultGate(clock, arguments.faults)
    tools = Tools(
        store=Store(state and state / "jobs"),
        time=CronTime(clock, arguments.minute),
        delivery=Delivery(Tokens(arguments.metadata), gate, clock),
        attempts=AttemptLog(),
    )
    jobs = Jobs(Places(arguments.only_location), tools)
    methods = SchedulerApi(jobs).methods()

    @asynccontextmanager
    async def running(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            jobs.start()
            stack.push_async_callback(jobs.close)
            deploy(arguments.jobs, jobs)
            looking = asyncio.create_task(_look(jobs.look))
            stack.callback(looking.cancel)
            if arguments.grpc_port is not None:
                await stack.enter_async_context(grpc_server.serving(methods, gate, arguments.grpc_port))
            yield

    return Starlette(
        routes=[
            Route("/", ready),
            Route("/emulator/v1/attempts", _attempts(tools.attempts)),
            *ControlRoutes(clock, gate).routes(),
            *rest.routes(methods, gate),
        ],
        middleware=[Middleware(HostCheck)],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=running,
    )


async def _look(look: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        look()


def _attempts(log: AttemptLog) -> Callable[[Request], Awaitable[Response]]:
    async def attempts(request: Request) -> Response:
        return JSONResponse({"attempts": log.of(request.query_params.get("job", ""))})

    return attempts
