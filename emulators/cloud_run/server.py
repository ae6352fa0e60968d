"""How do the parts fit together? The one place that builds them, starts them, and ends them in order."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette

from emulators.clock import Clock
from emulators.cloud_run.api.observer_routes import ObserverRoutes
from emulators.cloud_run.api.one_write import OneWriteProtocol
from emulators.cloud_run.api.operation_routes import OperationRoutes
from emulators.cloud_run.api.service_routes import ServiceRoutes
from emulators.cloud_run.arguments import Arguments
from emulators.cloud_run.catalog import Catalog
from emulators.cloud_run.choice import choose
from emulators.cloud_run.front.invoker import Invokers
from emulators.cloud_run.front.keys import Keys
from emulators.cloud_run.hosting import Hosting
from emulators.cloud_run.instances.settings import InstanceSettings
from emulators.cloud_run.model.names import Place
from emulators.cloud_run.model.service import Rules
from emulators.cloud_run.operations import Operations
from emulators.cloud_run.reconciliation import Reconciliation
from emulators.cloud_run.runtime.contract import Runtime
from emulators.cloud_run.runtime.ports import LOOPBACK
from emulators.cloud_run.services import Services
from emulators.cloud_run.store import Store, locked
from emulators.control import ControlRoutes
from emulators.errors import EXCEPTION_HANDLERS
from emulators.faults.gate import FaultGate, read_rules
from emulators.serving import HostCheck

_LOG = logging.getLogger("emulators.cloud_run")


async def serve(arguments: Arguments) -> None:
    """Run until SIGTERM or SIGINT; every instance has ended when this returns.

    Raises StateInUse, AddressTaken when a service's port is no longer free, or RuntimeFailure when none can be had.
    """
    with locked(arguments.state):
        app = Starlette(exception_handlers=EXCEPTION_HANDLERS)
        server = _server(app, arguments.port)
        runtime = await choose(arguments)
        await runtime.open()
        try:
            if killed := await runtime.clean():
                _LOG.warning("Killed %d instances that an earlier emulator had left running.", killed)
            async with _running(arguments, runtime, app):
                await server.serve()
        finally:
            await runtime.close()


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again before the instances have ended."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


def _server(app: Starlette, port: int) -> uvicorn.Server:
    config = uvicorn.Config(
        HostCheck(app),
        host=LOOPBACK,
        port=port,
        http=OneWriteProtocol,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)

    def end() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    return server


@asynccontextmanager
async def _running(arguments: Arguments, runtime: Runtime, app: Starlette) -> AsyncIterator[None]:
    place = Place(arguments.project, arguments.location)
    store = Store(arguments.state)
    operations = Operations(store, place)
    keys = Keys(arguments.keys) if arguments.keys else None
    clock = Clock(arguments.state / "clock.json")
    gate = FaultGate(clock, read_rules(arguments.faults) if arguments.faults else ())
    hosting = Hosting(_instance_settings(arguments, clock), runtime, Invokers(keys, arguments.invokers))
    catalog = Catalog(store, place)
    reconciliation = Reconciliation(
        catalog,
        operations,
        hosting,
        runtime=runtime,
        operation_delay=arguments.operation_delay,
        clock=clock,
    )
    rules = Rules(require_service_account=arguments.require_service_account)
    services = Services(
        catalog, operations, hosting, reconciliation, place=place, rules=rules, clock=clock.now
    )
    _publish(
        app,
        ServiceRoutes(services, catalog, place),
        OperationRoutes(operations, place),
        ObserverRoutes(hosting, runtime),
        ControlRoutes(clock, gate),
    )
    try:
        await reconciliation.restore()
        yield
    finally:
        await reconciliation.close()
        await hosting.shut_all()


def _publish(
    app: Starlette, *groups: ServiceRoutes | OperationRoutes | ObserverRoutes | ControlRoutes
) -> None:
    for group in groups:
        app.router.routes.extend(group.routes())


def _instance_settings(arguments: Arguments, clock: Clock) -> InstanceSettings:
    return InstanceSettings(
        state=arguments.state,
        clock=clock,
        idle_shutdown=arguments.idle_shutdown,
        grace=arguments.grace,
        queue_timeout=arguments.queue_timeout,
        restart_delay=arguments.restart_delay,
        freeze=arguments.freeze,
        metadata=arguments.metadata,
        instance_env=arguments.instance_env,
    )
