"""What goes over the wire, after Cloud Workstations v1: lowerCamelCase, RFC 3339, durations as "300s", google.type.Money."""

from datetime import datetime
from typing import Annotated

import msgspec

DURATION = r"^\d{1,9}(\.\d{1,9})?s$"
Duration = Annotated[str, msgspec.Meta(pattern=DURATION, description="Seconds with an s, such as 300s.")]
PageSize = Annotated[
    int, msgspec.Meta(ge=0, description="At most so many; 0 for 50, above 1000 counts as 1000.")
]
RequestId = Annotated[
    str, msgspec.Meta(max_length=64, description="A UUID; the same one has the same effect once, for 24 h.")
]


class Struct(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Both ways: unknown fields in a request are errors."""


class Money(Struct):
    """google.type.Money."""

    currency_code: str
    units: str
    nanos: int


class NewWorkstation(Struct):
    """What to provision. Empty fields mean the default."""

    project: str
    name: str = "main"
    template: str = "python"
    size: str = ""
    cpu: str = ""
    memory: str = ""
    priority: str = ""
    env: dict[str, str] = {}
    idle_timeout: Duration | None = None
    stop_timeout: Duration | None = None


class CreateQuery(Struct):
    validate_only: bool = False
    request_id: RequestId = ""


class VerbQuery(Struct):
    validate_only: bool = False
    request_id: RequestId = ""
    etag: str = ""
    timeout: Duration = "25s"


class DeleteQuery(Struct):
    validate_only: bool = False
    request_id: RequestId = ""
    etag: str = ""
    purge: bool = False


class ListQuery(Struct):
    project: str = ""
    page_size: PageSize = 50
    page_token: str = ""


class WaitQuery(Struct):
    timeout: Duration = "25s"


class Activity(Struct):
    time: datetime
    source: str
    cause: str


class Backup(Struct):
    time: datetime
    size_bytes: str
    files: int
    sha256: str


class Cost(Struct):
    """What it costs: now an hour, a million requests, this session so far, and what its owner has left."""

    hourly: Money
    hourly_running: Money
    hourly_idle: Money
    million_requests: Money
    session: Money
    requests: int
    """Of this session, as far as they are counted: about a minute late at most."""
    remaining_today: Money
    remaining_this_month: Money
    rate_card: str


class Status(Struct):
    """google.rpc.Status with the fields of its usual details beside it: ErrorInfo's reason and domain, what to do
    next, and the last lines of the log."""

    code: int
    status: str
    message: str
    reason: str
    """The cause, such as IMAGE_NOT_FOUND; docs/errors.md lists them."""
    domain: str = "dormouse"
    help: str = ""
    """What to do next."""
    log: list[str] = []
    """The last lines that the container wrote, where they are known."""
    time: datetime | None = None


class Workstation(Struct):
    name: str
    id: str
    uid: str
    project: str
    display_name: str
    template: str
    size: str
    cpu: str
    memory: str
    priority: str
    env: dict[str, str]
    state: str
    reason: str
    message: str
    reconciling: bool
    state_time: datetime
    create_time: datetime
    update_time: datetime
    last_activity: Activity
    idle_timeout: Duration
    stop_timeout: Duration | None
    host: str
    cost: Cost
    backup: Backup | None
    unsaved_changes: bool
    stop_time: datetime | None
    """When it stops if nothing else happens."""
    stop_reason: str
    etag: str
    error: Status | None = None
    """What went wrong last; there while it is in ERROR or being retried."""
    failures: int = 0
    """In a row. After the sixth it is not tried again until its user wakes it."""
    retry_time: datetime | None = None
    """When it is tried again; null while it waits for its user."""
    warnings: list[str] = []


class WorkstationList(Struct):
    workstations: list[Workstation]
    next_page_token: str = ""


class Stage(Struct):
    name: str
    start_time: datetime
    end_time: datetime | None


class Metadata(Struct):
    target: str
    verb: str
    create_time: datetime
    end_time: datetime | None
    stages: list[Stage]
    estimate: Cost | None = None


class Operation(Struct):
    """google.longrunning.Operation; `response` is the workstation as it is now."""

    name: str
    done: bool
    metadata: Metadata
    error: Status | None = None
    response: Workstation | None = None


class Period(Struct):
    limit: Money
    spent: Money
    remaining: Money
    reset_time: datetime


class Usage(Struct):
    day: Period
    month: Period
    hourly: Money
    always_on: Money
    saved: Money
    projects: dict[str, Money]


class Budget(Struct):
    """A user's own caps, never above the operator's. An absent one stays as it is."""

    daily_limit_micros: Annotated[int, msgspec.Meta(ge=0)] | None = None
    monthly_limit_micros: Annotated[int, msgspec.Meta(ge=0)] | None = None


class BudgetAnswer(Struct):
    daily: Money
    monthly: Money


class Event(Struct):
    n: int
    kind: str
    state: str
    time: datetime
    actor: str
    reason: str
    message: str
    error: Status | None
    epoch: int
    request_id: str
    cost: Money
    hash: str


class EventList(Struct):
    events: list[Event]
    whole: bool
    """Whether the chain of hashes is unbroken."""


class Size(Struct):
    name: str
    cpu: str
    memory: str
    hourly_running: Money
    hourly_idle: Money
    million_requests: Money


class SizeList(Struct):
    sizes: list[Size]


class Template(Struct):
    name: str
    image: str
    port: int


class TemplateList(Struct):
    templates: list[Template]


class Health(Struct):
    status: str
    version: str
