"""How is a job's target called, and what came of it?  One request with Cloud Scheduler's headers and a token.

It never raises for what a target or a metadata server does: that is the outcome.
"""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx2
from google.cloud.scheduler_v1.types import HttpMethod
from google.rpc import code_pb2

from emulators.clock import Clock
from emulators.cloud_scheduler.names import job_id
from emulators.cloud_scheduler.settings import cron_of
from emulators.cloud_scheduler.tokens import NoToken, Tokens
from emulators.errors import ApiError
from emulators.faults.gate import Dropped, FaultGate

METHOD = "Deliver"
"""By this name faults hit attempts; their resource is the job."""

_AGENT = "Google-Cloud-Scheduler"
_REPLACED = ("host", "content-length", "user-agent", "connection", "transfer-encoding")
_RESERVED = ("x-google-", "x-appengine-", "x-cloudscheduler")
# As google/rpc/code.proto pairs them.
_CODES = {
    400: code_pb2.INVALID_ARGUMENT,
    401: code_pb2.UNAUTHENTICATED,
    403: code_pb2.PERMISSION_DENIED,
    404: code_pb2.NOT_FOUND,
    409: code_pb2.ABORTED,
    429: code_pb2.RESOURCE_EXHAUSTED,
    499: code_pb2.CANCELLED,
    500: code_pb2.INTERNAL,
    501: code_pb2.UNIMPLEMENTED,
    503: code_pb2.UNAVAILABLE,
    504: code_pb2.DEADLINE_EXCEEDED,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to: a `google.rpc.Code`, the target's answer if there was one, and why not else."""

    code: int
    http_status: int | None = None
    message: str = ""

    @property
    def acknowledged(self) -> bool:
        """Whether the target took the job."""
        return bool(self.code == code_pb2.OK)


class Delivery:
    """Calls targets; every attempt has a connection of its own, and no cookies."""

    def __init__(self, tokens: Tokens, gate: FaultGate, clock: Clock) -> None:
        self._tokens = tokens
        self._gate = gate
        self._clock = clock
        self._tls = ssl.create_default_context()

    async def attempt(self, job: Any, schedule_time: datetime) -> Outcome:
        """Call the target once, until the attempt's deadline by the clock."""
        seconds = job.attempt_deadline.ToTimedelta().total_seconds()
        try:
            async with self._clock.timeout(seconds):
                return await self._gate.around(METHOD, job.name, lambda: self._call(job, schedule_time))
        except TimeoutError:
            message = f"no answer within the attempt deadline of {seconds:g} s"
            return Outcome(code_pb2.DEADLINE_EXCEEDED, message=message)
        except ApiError as fault:
            return Outcome(fault.code.number, message=fault.message)
        except Dropped:
            return Outcome(code_pb2.UNAVAILABLE, message="the connection broke")
        except NoToken as error:
            return Outcome(code_pb2.PERMISSION_DENIED, message=str(error))
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return Outcome(code_pb2.UNAVAILABLE, message=f"cannot call {job.http_target.uri}: {error!r}")

    async def _call(self, job: Any, schedule_time: datetime) -> Outcome:
        target = job.http_target
        # No environment: a proxy of the user's must not stand between loopback addresses.
        client = httpx2.AsyncClient(trust_env=False, timeout=None, verify=self._tls, follow_redirects=True)
        with self._clock.pinned():
            async with client:
                authorization = await self._tokens.authorization(target, client)
                method = HttpMethod(target.http_method).name
                headers = list(_headers(job, schedule_time, authorization))
                body = target.body or None
                async with client.stream(method, target.uri, headers=headers, content=body) as answer:
                    # Read to the end, as the attempt lasts until then, but keep nothing.
                    async for _ in answer.aiter_raw():
                        pass
        return _outcome(answer)


def rfc3339(moment: datetime) -> str:
    """The moment as Google writes it, with the offset that it has."""
    return moment.isoformat().replace("+00:00", "Z")


def _outcome(answer: httpx2.Response) -> Outcome:
    status = answer.status_code
    if answer.is_success:
        return Outcome(code_pb2.OK, status)
    by_class = {4: code_pb2.FAILED_PRECONDITION, 5: code_pb2.INTERNAL}
    code = _CODES.get(status, by_class.get(status // 100, code_pb2.UNKNOWN))
    return Outcome(code, status, f"the target answered {status}")


def _headers(job: Any, schedule_time: datetime, authorization: str) -> Iterator[tuple[bytes, bytes]]:
    own = {
        "User-Agent": _AGENT,
        "X-CloudScheduler": "true",
        "X-CloudScheduler-JobName": job_id(job.name),
        "X-CloudScheduler-ScheduleTime": rfc3339(schedule_time.astimezone(cron_of(job).zone)),
    }
    if authorization:
        own["Authorization"] = authorization
    given = {name: value for name, value in job.http_target.headers.items() if _may_send(name, own)}
    if job.http_target.body and "content-type" not in map(str.lower, given):
        own["Content-Type"] = "application/octet-stream"
    for name, value in (own | given).items():
        yield name.encode("ascii"), value.encode("latin-1")


def _may_send(name: str, own: dict[str, str]) -> bool:
    lower = name.lower()
    replaced = lower in _REPLACED or lower in map(str.lower, own)
    return not replaced and not lower.startswith(_RESERVED)
