"""How much may a project ask of a region? So many reads and writes a minute, by the emulator's clock, and services."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from emulators.clock import Clock
from emulators.cloud_run.model.names import Place
from emulators.errors import ApiError, Code
from emulators.rpc.method import Message, Method

MINUTE = 60.0
_READS = ("Get", "List", "Test", "Wait")
_HELP = {
    "@type": "type.googleapis.com/google.rpc.Help",
    "links": [
        {
            "description": "Request a higher quota limit.",
            "url": "https://cloud.google.com/docs/quotas/help/request_increase",
        }
    ],
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a region allows; None where there is no limit."""

    reads_per_minute: int | None = None
    writes_per_minute: int | None = None
    services: int | None = 1000
    cpus: int | None = None


class Rate:
    """So many calls a minute; the minute begins with its first call and ends by the clock."""

    def __init__(self, kind: str, limit: int, place: Place, clock: Clock) -> None:
        self._kind = kind
        self._limit = limit
        self._place = place
        self._clock = clock
        self._began = float("-inf")
        self._used = 0

    def use(self) -> None:
        """Count a call; RESOURCE_EXHAUSTED when the minute has no more."""
        now = self._clock.time()
        if now - self._began >= MINUTE:
            self._began, self._used = now, 0
        if self._used >= self._limit:
            raise self._exceeded()
        self._used += 1

    def _exceeded(self) -> ApiError:
        words, limit = f"{self._kind} requests", f"{self._kind}PerMinutePerProjectRegion"
        metric = f"run.googleapis.com/{self._kind.lower()}_regional"
        message = (
            f"Quota exceeded for quota metric '{words}' and limit '{words} per minute per region' of service "
            f"'run.googleapis.com' for consumer '{self._place.project}'. To see usage, go to "
            f"https://console.cloud.google.com/iam-admin/quotas?metric={metric}&limit={limit}"
            f"&qs_error_code=INSUFFICIENT_TOKENS&project={self._place.project}&service=run.googleapis.com. "
            "To request a quota increase, see https://cloud.google.com/run/quotas."
        )
        metadata = {
            "quota_metric": metric,
            "quota_limit": limit,
            "quota_limit_value": str(self._limit),
            "quota_location": self._place.location,
            "quota_unit": "1/min/{project}/{region}",
        }
        return ApiError(Code.RESOURCE_EXHAUSTED, message, details=(_info(self._place, metadata), _HELP))


class Quotas:
    """The limits of one project in one region, and what is left of them."""

    def __init__(self, limits: Limits, place: Place, clock: Clock) -> None:
        self._limits = limits
        self._place = place
        reads, writes = limits.reads_per_minute, limits.writes_per_minute
        self._reads = None if reads is None else Rate("Read", reads, place, clock)
        self._writes = None if writes is None else Rate("Write", writes, place, clock)

    def metered(self, methods: Iterable[Method]) -> list[Method]:
        """The methods, each of which counts its calls."""
        return [self._metered(method) for method in methods]

    def require_service(self, count: int) -> None:
        """RESOURCE_EXHAUSTED when there is no room for another service beside so many."""
        limit = self._limits.services
        if limit is not None and count >= limit:
            metadata = {"quota_limit": "ServicesPerProjectRegion", "quota_limit_value": str(limit)}
            raise ApiError(
                Code.RESOURCE_EXHAUSTED,
                f"Quota exceeded for total allowable services per project per region ({limit}).",
                details=(_info(self._place, metadata), _HELP),
            )

    def _metered(self, method: Method) -> Method:
        rate = self._reads if method.name.startswith(_READS) else self._writes
        if rate is None:
            return method

        async def handler(request: Message) -> Message:
            rate.use()
            return await method.handler(request)

        return replace(method, handler=handler)


def _info(place: Place, metadata: dict[str, str]) -> dict[str, Any]:
    consumer = {"consumer": f"projects/{place.project}", "service": "run.googleapis.com"}
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "RATE_LIMIT_EXCEEDED" if "quota_unit" in metadata else "QUOTA_EXCEEDED",
        "domain": "googleapis.com",
        "metadata": metadata | consumer,
    }
