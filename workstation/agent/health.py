"""Is the agent well, and is anybody at work? Two questions that never count as activity themselves."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.control.instance import Instance, encode_report, encode_touch


class HealthRoutes:
    """Health and activity of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def routes(self) -> list[Route]:
        """Return the routes."""
        health = [Route(path, self._health) for path in ("/health", "/healthz", "/-/health")]
        return [*health, Route("/-/activity", self._activity)]

    async def _health(self, _request: Request) -> Response:
        instance = self._instance
        return JSONResponse(
            {
                "status": "healthy",
                **instance.identity(),
                "uptimeSeconds": round(instance.uptime, 3),
                "workspace": instance.workspace.usage(),
            }
        )

    async def _activity(self, _request: Request) -> Response:
        instance = self._instance
        dirty = await instance.workspace.dirty()
        await instance.sampler.sample()
        report = instance.sampler.report()
        return JSONResponse(
            {
                **instance.identity(),
                **encode_report(report),
                "lastClientActivity": encode_touch(report.last_client),
                "requestsInFlight": report.requests_in_flight,
                "dirty": dirty,
            }
        )
