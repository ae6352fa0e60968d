"""For tests and demonstrations, not part of Google's API: what runs, how it is bounded, and a way to kill it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from emulators.cloud_run.api.answers import answer
from emulators.cloud_run.hosting import Hosting
from emulators.cloud_run.instances.autoscaler import Autoscaler
from emulators.cloud_run.model.errors import not_found
from emulators.cloud_run.runtime.contract import Runtime

_DEATH_SECONDS = 30.0
_SERVICE = "/emulator/v1/services/{service}"


class ObserverRoutes:
    """Reads of the running half."""

    def __init__(self, hosting: Hosting, runtime: Runtime) -> None:
        self._hosting = hosting
        self._runtime = runtime

    def routes(self) -> list[Route]:
        """The route table."""
        return [
            Route("/", self.ok, methods=["GET"]),
            Route("/emulator/v1/runtime", self.runtime, methods=["GET"]),
            Route(f"{_SERVICE}/instances", self.instances, methods=["GET"]),
            Route(f"{_SERVICE}/instances/{{instance}}:kill", self.kill, methods=["POST"]),
        ]

    async def ok(self, _: Request) -> Response:
        """Readiness."""
        return PlainTextResponse("Ok")

    async def runtime(self, _: Request) -> Response:
        """How instances run and which bounds hold."""
        return answer(self._runtime.describe())

    async def instances(self, request: Request) -> Response:
        """The instances of a service, how the last ones ended, and how many requests wait for room."""
        autoscaler = self._autoscaler(request)
        living = [instance.describe() for instance in autoscaler.instances]
        exits = [asdict(end) for end in autoscaler.exits]
        return answer({"instances": living, "exits": exits, "requestsWaiting": autoscaler.waiting})

    async def kill(self, request: Request) -> Response:
        """Kill an instance at once, as the platform may do at any time; it is gone when this answers."""
        instance_id = request.path_params["instance"]
        for instance in self._autoscaler(request).instances:
            if instance.id == instance_id:
                instance.fail("Killed by an observer.")
                await asyncio.wait({instance.life}, timeout=_DEATH_SECONDS)
                return answer({})
        raise not_found(f"instances/{instance_id}")

    def _autoscaler(self, request: Request) -> Autoscaler:
        service_id = request.path_params["service"]
        autoscaler = self._hosting.autoscaler(service_id)
        if autoscaler is None:
            raise not_found(f"services/{service_id}")
        return autoscaler
