"""How is a job's target called, and what came of it?  One POST with Cloud Scheduler's headers and an ID token.

It never raises for what a target or the metadata server does: that is the outcome.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2

from emulators.cloud_scheduler.jobs import Job

_IDENTITY = "/computeMetadata/v1/instance/service-accounts/default/identity"
_TOKEN_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to: a status, or the error that kept it from one."""

    http_status: int | None
    error: str | None

    @property
    def acknowledged(self) -> bool:
        """Whether the target took the job: any 2xx."""
        return self.http_status is not None and 200 <= self.http_status < 300


class Delivery:
    """Calls targets as the account of a metadata server."""

    def __init__(self, metadata: str, client: httpx2.AsyncClient) -> None:
        self._identity_url = f"http://{metadata}{_IDENTITY}"
        self._client = client

    async def attempt(self, job: Job, schedule_time: datetime) -> Outcome:
        """Call the target once."""
        try:
            token = await self._id_token(job.audience)
        except (httpx2.HTTPError, TimeoutError) as error:
            return Outcome(None, f"no ID token from {self._identity_url}: {error!r}")
        try:
            async with asyncio.timeout(job.attempt_deadline.total_seconds()):
                return await self._post(job.uri, _headers(job, schedule_time, token))
        except TimeoutError:
            seconds = job.attempt_deadline.total_seconds()
            return Outcome(None, f"no answer within the attempt deadline of {seconds:g} s")
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return Outcome(None, f"cannot call {job.uri}: {error!r}")

    async def _post(self, uri: str, headers: dict[str, str]) -> Outcome:
        async with self._client.stream("POST", uri, headers=headers) as response:
            # Read to the end, as the run lasts until then, but keep nothing.
            async for _ in response.aiter_raw():
                pass
            status = response.status_code
        error = None if response.is_success else f"the target answered {status}"
        return Outcome(status, error)

    async def _id_token(self, audience: str) -> str:
        async with asyncio.timeout(_TOKEN_SECONDS):
            response = await self._client.get(
                self._identity_url,
                params={"audience": audience, "format": "full"},
                headers={"Metadata-Flavor": "Google"},
            )
        return response.raise_for_status().text.strip()


def _headers(job: Job, schedule_time: datetime, token: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token}",
        "User-Agent": "Google-Cloud-Scheduler",
        "X-CloudScheduler": "true",
        "X-CloudScheduler-JobName": job.name,
        "X-CloudScheduler-ScheduleTime": rfc3339(schedule_time),
        "Content-Type": "application/octet-stream",
    }


def rfc3339(moment: datetime) -> str:
    """The moment in UTC, as Google's APIs write it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
