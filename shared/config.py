"""Settings from the environment: the sources' names, parsed once, every problem reported at once.

Each setting is one line: its name, how it is read, its default. What it means stands at the value that it becomes
(`shared.domain.policy`, `shared.domain.catalog`). Timer settings take decimals.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from shared.domain.catalog import Catalog, Template
from shared.domain.errors import DormouseError
from shared.domain.policy import Backoff, Caps, Policy, Reserves, StopTimeouts
from shared.domain.quantities import parse_cpu, parse_memory
from shared.domain.rates import Card
from shared.domain.sizes import Size, legal
from shared.environ import Environ

GOOGLE_CERTS_URL = "https://www.googleapis.com/oauth2/v3/certs"
IAM_CREDENTIALS_ENDPOINT = "https://iamcredentials.googleapis.com"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")
EMULATORS = (
    "FIRESTORE_EMULATOR_HOST",
    "FIREBASE_AUTH_EMULATOR_HOST",
    "STORAGE_EMULATOR_HOST",
    "CLOUD_RUN_EMULATOR_HOST",
)


class SettingsError(Exception):
    """The environment cannot be used; `problems` has one sentence for each thing wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("Settings: " + " ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Service accounts, by e-mail."""

    runtime: str
    """What workstations run as: it has no role."""
    scheduler: str
    """Who may call sweep and cleanup."""
    controllers: tuple[str, ...]
    """Whose tokens an agent accepts on the control plane's routes."""
    signer: str
    """Who signs URLs: the account that this process runs as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where Google is. Empty: the real one."""

    cloud_run: str = ""
    iam_credentials: str = IAM_CREDENTIALS_ENDPOINT
    certs_url: str = GOOGLE_CERTS_URL
    auth_emulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    project: str
    region: str
    environment: str
    database: str
    policy: Policy
    catalog: Catalog
    accounts: Accounts
    endpoints: Endpoints
    backup_bucket: str
    self_audience: str
    gateway_url: str
    page_token_key: str = field(repr=False)
    auto_start: bool = True
    health_check_interval: timedelta = timedelta(seconds=30)
    health_interval: timedelta = timedelta(seconds=60)
    health_retention: timedelta = timedelta(days=7)
    lease: timedelta = timedelta(minutes=120)
    log_file: str = ""

    @property
    def cell(self) -> str:
        return f"{self.project}/{self.region}"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Raises SettingsError with every problem."""
        reader = _Reader(environ)
        settings = reader.settings()
        reader.problems.extend(_misplaced_emulators(environ))
        if reader.problems:
            raise SettingsError(reader.problems)
        return settings


def _misplaced_emulators(environ: Mapping[str, str]) -> list[str]:
    """An emulator accepts forged tokens: it may be named only on a developer's own machine."""
    found = [name for name in EMULATORS if environ.get(name)]
    if not found:
        return []
    if environ.get("K_SERVICE"):
        return [f"{', '.join(found)} must not be set on Cloud Run: an emulator accepts forged tokens."]
    return [
        f"{name} must name a loopback address such as 127.0.0.1:8080, not {environ[name]!r}."
        for name in found
        if environ[name].split("://")[-1].rsplit(":", 1)[0] not in LOOPBACK
    ]


class _Reader(Environ):
    """Reads our settings, one line each."""

    def settings(self) -> Settings:
        return Settings(
            project=self.required("GOOGLE_CLOUD_PROJECT"),
            region=self.text("DORMOUSE_REGION", "europe-west1"),
            environment=self.parsed(
                "DORMOUSE_ENVIRONMENT", "production", _label, "a label: letters, digits, - and _"
            ),
            database=self.text("FIRESTORE_DATABASE", "(default)"),
            policy=self._policy(),
            catalog=self._catalog(),
            accounts=Accounts(
                runtime=self.required("RUNTIME_SERVICE_ACCOUNT"),
                scheduler=self.required("SCHEDULER_SERVICE_ACCOUNT"),
                controllers=tuple(self.required("CONTROLLER_SERVICE_ACCOUNTS").split(",")),
                signer=self.required("SIGNING_SERVICE_ACCOUNT"),
            ),
            endpoints=Endpoints(
                cloud_run=self.text("CLOUD_RUN_EMULATOR_HOST", ""),
                iam_credentials=self.text("IAM_CREDENTIALS_ENDPOINT", IAM_CREDENTIALS_ENDPOINT),
                certs_url=self.text("GOOGLE_CERTS_URL", GOOGLE_CERTS_URL),
                auth_emulated=bool(self.text("FIREBASE_AUTH_EMULATOR_HOST", "")),
            ),
            backup_bucket=self.required("BACKUP_BUCKET"),
            self_audience=self.text("SELF_AUDIENCE", ""),
            gateway_url=self.text("GATEWAY_URL", ""),
            page_token_key=self.required("PAGE_TOKEN_KEY"),
            auto_start=self.flag("CONTAINER_AUTO_START", True),
            health_check_interval=self.seconds("CONTAINER_HEALTH_CHECK_INTERVAL", 30),
            health_interval=self.seconds("HEALTH_INTERVAL_SECONDS", 60),
            health_retention=self.days("HEALTH_RETENTION_DAYS", 7),
            lease=self.minutes("LEASE_MINUTES", 120),
            log_file=self.text("LOG_FILE", ""),
        )

    def _policy(self) -> Policy:
        sweep_interval = self.seconds("SWEEP_INTERVAL_SECONDS", 60)
        policy = Policy(
            idle_after=self.minutes("AUTO_IDLE_MINUTES", 5),
            stop_timeouts=StopTimeouts(
                high=self.minutes("CONTAINER_HIGH_IDLE_TIMEOUT", 120),
                normal=self._normal_stop(),
                low=self.minutes("CONTAINER_LOW_IDLE_TIMEOUT", 10),
            ),
            auto_stop=self.flag("CONTAINER_AUTO_STOP", True),
            max_idle=self.hours("MAX_IDLE_HOURS", 2),
            max_unattended=self.hours("MAX_UNATTENDED_HOURS", 12),
            startup_timeout=self.seconds("CONTAINER_STARTUP_TIMEOUT", 60),
            retention=self.days("STOPPED_RETENTION_DAYS", 30),
            sweep_interval=sweep_interval,
            caps=Caps(
                daily=self.dollars("DAILY_COST_LIMIT", 5), monthly=self.dollars("MONTHLY_COST_LIMIT", 100)
            ),
            reserves=Reserves(
                ahead=self.minutes("RESERVE_MINUTES", 20),
                minimum=self.minutes("RESERVE_MINIMUM_MINUTES", 10),
            ),
            backoff=Backoff(),
            # Ten sweeps' time, so that shortened timers stay truthful.
            orphan_grace=self.minutes("ORPHAN_GRACE_MINUTES", 10 * (sweep_interval / timedelta(minutes=1))),
        )
        self._consistent(policy)
        return policy

    def _normal_stop(self) -> timedelta:
        """Two sources name the same timer; one of them is enough, and they may not disagree."""
        names = ("AUTO_STOP_MINUTES", "CONTAINER_IDLE_TIMEOUT")
        given = {name: self.minutes(name, 30) for name in names if self.text(name, "")}
        if len(set(given.values())) > 1:
            self.problems.append(f"{' and '.join(names)} are the same timer and differ; set one of them.")
        return next(iter(given.values()), timedelta(minutes=30))

    def _consistent(self, policy: Policy) -> None:
        timeouts = policy.stop_timeouts
        ordered = [
            ("AUTO_IDLE_MINUTES", policy.idle_after, "AUTO_STOP_MINUTES", timeouts.normal),
            ("AUTO_IDLE_MINUTES", policy.idle_after, "MAX_IDLE_HOURS", policy.max_idle),
            ("RESERVE_MINIMUM_MINUTES", policy.reserves.minimum, "RESERVE_MINUTES", policy.reserves.ahead),
            ("CONTAINER_LOW_IDLE_TIMEOUT", timeouts.low, "CONTAINER_HIGH_IDLE_TIMEOUT", timeouts.high),
        ]
        for small_name, small, large_name, large in ordered:
            if small > large:
                self.problems.append(f"{small_name} ({small}) must not be more than {large_name} ({large}).")
        if policy.caps.daily > policy.caps.monthly:
            self.problems.append("DAILY_COST_LIMIT must not be more than MONTHLY_COST_LIMIT.")

    def _catalog(self) -> Catalog:
        most = Size(
            self.parsed("MAX_CPU", "4", parse_cpu, "cores such as 4"),
            self.parsed("MAX_MEMORY", "8Gi", parse_memory, "memory such as 8Gi"),
        )
        default = Size(
            self.parsed("DEFAULT_CPU", "0.5", parse_cpu, "cores such as 0.5"),
            self.parsed("DEFAULT_MEMORY", "512Mi", parse_memory, "memory such as 512Mi"),
        )
        try:
            default = legal(default, most).size
        except DormouseError as error:
            self.problems.append(f"DEFAULT_CPU and DEFAULT_MEMORY: {error.message}")
        card = self.parsed("RATE_CARD", "list", Card, "list or flat")
        return Catalog(templates=self._templates(), default_size=default, most=most, card=card)

    def _templates(self) -> dict[str, Template]:
        """`python=NAME@sha256:HEX`, comma separated: images by digest, and no others."""
        templates = {}
        for entry in filter(None, self.required("TEMPLATE_IMAGES").split(",")):
            name, _, image = entry.strip().partition("=")
            if "@sha256:" not in image:
                self.problems.append(f"TEMPLATE_IMAGES: {entry!r} must read name=image@sha256:digest.")
            templates[name] = Template(name=name, image=image)
        return templates


def _label(text: str) -> str:
    """It becomes a label of every service."""
    if not re.fullmatch(r"[a-z0-9_-]{1,63}", text):
        raise ValueError(text)
    return text
