"""What may be asked of a job, and what does it get where nothing was asked?

Every bad field is named in one answer.  What Cloud Scheduler has and this emulator has not is UNIMPLEMENTED, by name.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, TypeAlias
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from google.cloud.scheduler_v1.types import HttpMethod

from emulators.cloud_scheduler.cron import Cron, EnglishScheduleError
from emulators.errors import ApiError, Code

Problem: TypeAlias = tuple[str, str]
"""A field's path and what is wrong with it."""

_DEFAULT_DEADLINE = timedelta(minutes=3)
_DEADLINES = (timedelta(seconds=15), timedelta(minutes=30))
_DEFAULT_BACKOFF = (timedelta(seconds=5), timedelta(hours=1))
_DEFAULT_DOUBLINGS = 5
_MOST_RETRIES = 5
_LONGEST_DESCRIPTION = 500
_LONGEST_URI = 2083
_LARGEST_HEADERS = 80 * 1024
_LARGEST_JOB = 1 << 20
_WITH_BODY = (HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_ABSENT = {
    "pubsub_target": "Pub/Sub targets",
    "app_engine_http_target": "App Engine targets",
}
_DURATIONS = ("max_retry_duration", "min_backoff_duration", "max_backoff_duration")


def with_defaults(job: Any) -> None:
    """Fill in what was left out."""
    job.time_zone = job.time_zone or "UTC"
    if not _span(job.attempt_deadline):
        job.attempt_deadline.FromTimedelta(_DEFAULT_DEADLINE)
    if job.HasField("http_target"):
        job.http_target.http_method = job.http_target.http_method or HttpMethod.POST
    retry = job.retry_config
    # Set even when they are zero, as Google answers them.
    retry.max_retry_duration.SetInParent()
    for field, default in zip(_DURATIONS[1:], _DEFAULT_BACKOFF, strict=True):
        if not _span(getattr(retry, field)):
            getattr(retry, field).FromTimedelta(default)
    retry.max_doublings = retry.max_doublings or _DEFAULT_DOUBLINGS


def check(job: Any) -> None:
    """Raises UNIMPLEMENTED for what is not emulated, INVALID_ARGUMENT for what Cloud Scheduler would not take."""
    for field, what in _ABSENT.items():
        if job.WhichOneof("target") == field:
            raise ApiError(Code.UNIMPLEMENTED, f"This emulator has no {what}: job.{field}.", f"job.{field}")
    problems = [*_general(job), *_timing(job), *_retries(job.retry_config), *_target(job)]
    if problems:
        violations = [{"field": f"job.{field}", "description": text} for field, text in problems]
        details = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}
        message = " ".join(dict.fromkeys(f"{text} (job.{field})" for field, text in problems))
        raise ApiError(Code.INVALID_ARGUMENT, message, details=(details,))


def cron_of(job: Any) -> Cron:
    """The job's schedule; ValueError when there is no such one."""
    return Cron(job.schedule, _zone(job.time_zone))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo("UTC" if name.lower() == "utc" else name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error


def _span(duration: Any) -> timedelta:
    """The duration; a negative one, which nothing allows, for what is none."""
    try:
        # Only this looks at the range, and at the signs of both parts.
        duration.ToJsonString()
        span: timedelta = duration.ToTimedelta()
    except (ValueError, OverflowError):
        return -timedelta.resolution
    return span


def _general(job: Any) -> Iterator[Problem]:
    if len(job.description) > _LONGEST_DESCRIPTION:
        yield "description", f"Description must not contain more than {_LONGEST_DESCRIPTION} characters."
    if job.ByteSize() > _LARGEST_JOB:
        yield "http_target", "The maximum allowed size for a job is 1MB."


def _timing(job: Any) -> Iterator[Problem]:
    zone = ZoneInfo("UTC")
    try:
        zone = _zone(job.time_zone)
    except ValueError as error:
        yield "time_zone", f"Schedule or time zone is invalid: {error}."
    try:
        Cron(job.schedule, zone)
    except EnglishScheduleError as error:
        message = f"This emulator knows schedules in the unix-cron format only: {error}."
        raise ApiError(Code.UNIMPLEMENTED, message, "job.schedule") from error
    except ValueError as error:
        yield "schedule", f"Schedule or time zone is invalid: {error}."
    shortest, longest = _DEADLINES
    if not shortest <= _span(job.attempt_deadline) <= longest:
        yield "attempt_deadline", "The deadline must be in the interval [15 seconds, 30 minutes]."


def _retries(retry: Any) -> Iterator[Problem]:
    if not 0 <= retry.retry_count <= _MOST_RETRIES:
        yield (
            "retry_config.retry_count",
            f"Values greater than {_MOST_RETRIES} and negative values are not allowed.",
        )
    if retry.max_doublings < 0:
        yield "retry_config.max_doublings", "Must not be negative."
    for field in _DURATIONS:
        if _span(getattr(retry, field)) < timedelta():
            yield f"retry_config.{field}", "Must be a duration that is not negative."
    if _span(retry.min_backoff_duration) > _span(retry.max_backoff_duration):
        yield "retry_config.min_backoff_duration", "Must not be longer than max_backoff_duration."


def _target(job: Any) -> Iterator[Problem]:
    if not job.HasField("http_target"):
        yield "http_target", "The job must have a target."
        return
    target = job.http_target
    if problem := _wrong_uri(target.uri):
        yield "http_target.uri", problem
    if target.http_method not in HttpMethod.__members__.values():
        yield "http_target.http_method", f"There is no method {target.http_method}."
    elif target.body and target.http_method not in _WITH_BODY:
        yield "http_target.body", "A request body is allowed only if the HTTP method is POST, PUT, or PATCH."
    yield from _headers(target.headers)
    kind = target.WhichOneof("authorization_header")
    if kind and "@" not in getattr(target, kind).service_account_email:
        yield f"http_target.{kind}.service_account_email", "Must be the e-mail address of a service account."


def _wrong_uri(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError as error:
        return f"The URI is not valid: {error}."
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return 'The URI must begin with "http://" or "https://" and name a host.'
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in uri):
        return "The URI must not contain control characters."
    if len(quote(uri, safe="%/:?#[]@!$&'()*+,;=")) > _LONGEST_URI:
        return f"The maximum allowed URL length is {_LONGEST_URI} characters after encoding."
    return ""


def _headers(headers: Any) -> Iterator[Problem]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            yield "http_target.headers", f"The header {name!r} cannot be sent."
    if sum(len(name) + len(value) for name, value in headers.items()) >= _LARGEST_HEADERS:
        yield "http_target.headers", "The total size of headers must be less than 80KB."
