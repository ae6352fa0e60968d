"""How do the parts fit together? The one place that builds them, starts them, and ends them in order."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette

from emulators.clock import Clock
from emulators.cloud_run.admin import Admin
from emulators.cloud_run.api.ending import Ending, EndingServer
from emulators.cloud_run.api.observer_routes import ObserverRoutes
from emulators.cloud_run.api.one_write import OneWriteProtocol
from emulators.cloud_run.arguments import Arguments
from emulators.cloud_run.choice import choose
from emulators.cloud_run.cpu_quota import bounded
from emulators.cloud_run.front.invoker import Invokers
from emulators.cloud_run.hosting import Hosting
from emulators.cloud_run.instances.settings import InstanceSettings
from emulators.cloud_run.meter.clerk import Clerk
from emulators.cloud_run.meter.journal import Journal
from emulators.cloud_run.meter.meter import Meter
from emulators.cloud_run.meter.routes import BillRoutes
from emulators.cloud_run.rights import rights_of
from emulators.cloud_run.runtime.contract import Runtime
from emulators.cloud_run.runtime.ports import LOOPBACK
from emulators.cloud_run.store import Store, locked
from emulators.control import ControlRoutes
from emulators.errors import EXCEPTION_HANDLERS
from emulators.faults.gate import FaultGate, read_rules
from emulators.rpc import grpc_server, rest
from emulators.rpc.method import Method
from emulators.serving import HostCheck

_LOG = logging.getLogger("emulators.cloud_run")


async def serve(arguments: Arguments) -> None:
    """Run until SIGTERM or SIGINT; every instance has ended when this returns.

    Raises StateInUse, NoAddress when a service's port cannot be had, PortTaken, BadRule for a faults file, or
    RuntimeFailure when no runtime can be had.
    """
    with locked(arguments.state):
        app = Starlette(exception_handlers=EXCEPTION_HANDLERS)
        server = _server(app, arguments.port)
        runtime = bounded(await choose(arguments), arguments.limits.cpus)
        await runtime.open()
        try:
            if killed := await runtime.clean():
                _LOG.warning("Killed %d instances that an earlier emulator had left running.", killed)
            async with _running(arguments, runtime, app):
                await server.serve()
        finally:
            await runtime.close()


def _server(app: Starlette, port: int) -> uvicorn.Server:
    config = uvicorn.Config(
        Ending(HostCheck(app)),
        host=LOOPBACK,
        port=port,
        http=OneWriteProtocol,
        log_level="warning",
        access_log=False,
        lifespan="off",
    )
    server = EndingServer(config)

    def end() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    return server


@asynccontextmanager
async def _running(arguments: Arguments, runtime: Runtime, app: Starlette) -> AsyncIterator[None]:
    clock = Clock(arguments.state / "clock.json")
    gate = FaultGate(clock, read_rules(arguments.faults) if arguments.faults else ())
    facts = arguments.state / "meter" / "facts.jsonl"
    meter = Meter(Journal(facts), clock)
    settings = _instance_settings(arguments, clock, gate, meter)
    store = Store(arguments.state, clock)
    rights = rights_of(store, clock, gate, keys_url=arguments.keys, invokers=arguments.invokers)
    hosting = Hosting(settings, runtime, Invokers(rights.tokens, rights.access))
    admin = Admin(
        arguments, clock=clock, gate=gate, store=store, rights=rights, hosting=hosting, runtime=runtime
    )
    app.router.routes.extend(rest.routes(admin.methods, gate))
    _publish(
        app,
        ObserverRoutes(hosting, runtime),
        ControlRoutes(clock, gate),
        BillRoutes(meter, Clerk(facts, arguments.location)),
    )
    try:
        await admin.restore()
        async with _grpc(admin.methods, gate, arguments.grpc_port):
            yield
    finally:
        await admin.close()
        await hosting.shut_all()
        meter.close()


def _publish(app: Starlette, *groups: ObserverRoutes | ControlRoutes | BillRoutes) -> None:
    for group in groups:
        app.router.routes.extend(group.routes())


@asynccontextmanager
async def _grpc(methods: list[Method], gate: FaultGate, port: int | None) -> AsyncIterator[None]:
    if port is None:
        yield
        return
    async with grpc_server.serving(methods, gate, port) as bound:
        _LOG.info("gRPC on %s:%d", LOOPBACK, bound)
        yield


def _instance_settings(arguments: Arguments, clock: Clock, gate: FaultGate, meter: Meter) -> InstanceSettings:
    return InstanceSettings(
        state=arguments.state,
        clock=clock,
        gate=gate,
        usage=meter,
        idle_shutdown=arguments.idle_shutdown,
        grace=arguments.grace,
        queue_timeout=arguments.queue_timeout,
        readiness_deadline=arguments.readiness_deadline,
        restart_delay=arguments.restart_delay,
        idle_cpu=arguments.idle_cpu,
        metadata=arguments.metadata,
        instance_env=arguments.instance_env,
    )
