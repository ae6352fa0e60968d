"""Which times and limits hold for instances?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from emulators.clock import Clock
from emulators.cloud_run.instances.cpu import IdleCpu
from emulators.cloud_run.instances.usage import NoUsage, Usage
from emulators.faults.gate import FaultGate


@dataclass(frozen=True, slots=True)
class InstanceSettings:
    """The operator's choices; the defaults are Cloud Run's."""

    state: Path
    clock: Clock = field(default_factory=Clock)
    usage: Usage = field(default_factory=NoUsage)
    gate: FaultGate = field(default_factory=lambda: FaultGate(Clock()))
    idle_shutdown: timedelta = timedelta(minutes=15)
    grace: timedelta = timedelta(seconds=10)
    queue_timeout: timedelta = timedelta(seconds=60)
    readiness_deadline: timedelta = timedelta(minutes=30)
    restart_delay: timedelta = timedelta(seconds=0.5)
    idle_cpu: IdleCpu = IdleCpu.FROZEN
    metadata: str | None = None
    instance_env: Mapping[str, str] = field(default_factory=dict)

    @property
    def instances(self) -> Path:
        """Where the files of living instances are."""
        return self.state / "instances"

    @property
    def logs(self) -> Path:
        """Where the output of instances is kept."""
        return self.state / "logs"
