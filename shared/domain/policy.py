"""The rules that an operator sets, as validated values; how they are written in the environment is `shared.config`'s."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from shared.domain.money import Micros


class Priority(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopTimeouts:
    """Silence after which a workstation stops; critical ones have none."""

    high: timedelta = timedelta(minutes=120)
    normal: timedelta = timedelta(minutes=30)
    low: timedelta = timedelta(minutes=10)

    def of(self, priority: Priority) -> timedelta | None:
        match priority:
            case Priority.CRITICAL:
                return None
            case Priority.HIGH:
                return self.high
            case Priority.NORMAL:
                return self.normal
            case Priority.LOW:
                return self.low


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What one user may spend."""

    daily: Micros = Micros(5_000_000)
    monthly: Micros = Micros(100_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserves:
    """How far ahead running time is paid for.

    A reservation ends at its `until`; saving may take `save_time` beyond that and is reserved as well, so
    `until + save_time` is the service's `notAfter`.
    """

    ahead: timedelta = timedelta(minutes=20)
    """How far a wake or a renewal reaches; renewed when half of it is left."""
    minimum: timedelta = timedelta(minutes=10)
    """A wake that cannot reserve this much is refused."""
    save_time: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """An ERROR is retried after 1, 2, 4 ... minutes, `attempts` times, then waits for the user."""

    first: timedelta = timedelta(minutes=1)
    longest: timedelta = timedelta(minutes=30)
    attempts: int = 5
    forgiven_after: timedelta = timedelta(hours=1)
    """So long a healthy run clears the count."""

    def delay(self, failures: int) -> timedelta | None:
        """How long to wait after the n-th failure in a row; None when it is the user's turn."""
        if failures > self.attempts:
            return None
        return min(self.first * (1 << (failures - 1)), self.longest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacements:
    """How often an instance may be replaced. The platform does it now and then; a program that brings down each
    instance would have it done for ever, at its user's cost."""

    most: int = 5
    """The n-th within the window is an ERROR."""
    within: timedelta = timedelta(minutes=10)
    start: timedelta = timedelta(seconds=10)
    """What the platform's start of an instance that nobody saw is metered as, at the active rate: Google bills it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    idle_after: timedelta = timedelta(minutes=5)
    stop_timeouts: StopTimeouts = StopTimeouts()
    auto_stop: bool = True
    max_idle: timedelta = timedelta(hours=2)
    max_unattended: timedelta = timedelta(hours=12)
    startup_timeout: timedelta = timedelta(seconds=60)
    retention: timedelta = timedelta(days=30)
    stop_patience: timedelta = timedelta(minutes=5)
    """How long a stop that need not hurry tries to save before it goes on without."""
    sweep_interval: timedelta = timedelta(minutes=1)
    caps: Caps = Caps()
    reserves: Reserves = Reserves()
    backoff: Backoff = Backoff()
    replacements: Replacements = Replacements()
    orphan_grace: timedelta = timedelta(minutes=10)
    """So long a service was seen without a record before it is deleted."""

    @property
    def start_patience(self) -> timedelta:
        """How long a start may take before it has failed: the sweep, which may have to do all of it, comes that often."""
        return max(self.startup_timeout, 3 * self.sweep_interval)

    @property
    def lead(self) -> timedelta:
        """How long before a deadline the sweep has to begin, because it comes round only so often."""
        return min(self.sweep_interval, self.reserves.minimum / 2)
