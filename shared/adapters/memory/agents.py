"""Agents in memory: one in each instance that a MemoryServices runs, with files, activity and a mind of its own.

An instance is there while its service is scaled up; a new run, or a replacement by the platform, is a new boot id
and an empty workspace.
"""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.adapters.memory.backups import MemoryBackups
from shared.adapters.memory.services import MemoryServices
from shared.domain.errors import FailedPrecondition, OtherInstance, PermissionDenied, Unavailable
from shared.domain.observed import AgentView, Busy, Phase
from shared.domain.workstation import Activity, Backup, Source
from shared.ports import Address, Clock, Grant, Quiescence, Saved

QUIESCE_LASTS = timedelta(seconds=120)


@dataclass
class Instance:
    """What runs inside. Tests set these as a user, a build or a broken network would."""

    boot_id: str
    phase: Phase = Phase.EMPTY
    epoch: int | None = None
    files: dict[str, str] = field(default_factory=dict)
    dirty: bool = False
    busy: Busy = Busy.NO
    cause: str = ""
    last_activity: Activity | None = None
    last_client_activity: Activity | None = None
    reachable: bool = True
    quiesced_at: datetime | None = None

    def write(self, path: str, text: str, now: datetime) -> None:
        """Change a file, as a user would."""
        self.files[path] = text
        self.dirty = True
        self.touch(Source.FILE, now)

    def touch(self, source: Source, now: datetime) -> None:
        """Note activity; only a process is no client."""
        self.last_activity = Activity(now, source)
        if source is not Source.PROCESS:
            self.last_client_activity = self.last_activity


class MemoryAgents:
    """All agents."""

    def __init__(self, services: MemoryServices, backups: MemoryBackups, clock: Clock) -> None:
        self._services = services
        self._backups = backups
        self._clock = clock
        self._instances: dict[str, tuple[int, Instance]] = {}
        self._boots = 0

    # --- the port ---

    def look(self, address: Address, now: datetime) -> AgentView:
        """What the agent says; asking is no activity."""
        instance = self._reached(address)
        return AgentView(
            boot_id=instance.boot_id,
            phase=instance.phase,
            epoch=instance.epoch,
            busy=instance.busy,
            last_activity=_not_after(instance.last_activity, now),
            last_client_activity=_not_after(instance.last_client_activity, now),
            cause=instance.cause,
            dirty=instance.dirty,
        )

    def load(self, address: Address, backup: Backup | None, grant: Grant | None) -> None:
        """Fill an empty instance; a filled one stays as it is."""
        instance = self._fenced(address)
        if instance.phase is Phase.EMPTY:
            instance.files = {} if backup is None else self._restored(backup, grant)
            instance.phase = Phase.READY

    def quiesce(
        self, address: Address, *, idle_seconds: float | None, force: bool, reason: str
    ) -> Quiescence:
        """Freeze, unless something goes on or did too recently."""
        instance = self._fenced(address)
        if instance.phase is Phase.EMPTY:
            return Quiescence(quiesced=False, dirty=True, cause="the workspace is EMPTY")
        if instance.phase is Phase.READY and not force:
            refusal = _refusal(instance, idle_seconds, self._clock.now())
            if refusal is not None:
                return refusal
        assert reason or not force, "a forced quiesce has a reason that the user can read"
        instance.phase = Phase.QUIESCED
        instance.quiesced_at = self._clock.now()
        return Quiescence(quiesced=True, dirty=instance.dirty, activity=instance.last_activity)

    def resume(self, address: Address) -> None:
        """Let users in again."""
        instance = self._fenced(address)
        if instance.phase is Phase.EMPTY:
            raise FailedPrecondition("The workspace is EMPTY: load it first.", reason="AGENT_REFUSED")
        instance.phase = Phase.READY

    def save(self, address: Address, grant: Grant, known: str | None) -> Saved:
        """Upload the files, unless they are what `known` is the hash of."""
        instance = self._fenced(address)
        if instance.phase is Phase.EMPTY:
            raise FailedPrecondition(
                "The workspace is EMPTY: there is nothing to save.", reason="AGENT_REFUSED"
            )
        content = json.dumps(instance.files, sort_keys=True).encode()
        digest = hashlib.sha256(content).hexdigest()
        if digest != known:
            self._backups.upload(grant, content)
        instance.dirty = False
        return Saved(sha256=digest, size=len(content), files=len(instance.files), unchanged=digest == known)

    # --- for tests ---

    def instance(self, uri: str) -> Instance | None:
        """What runs at the uri now, or None."""
        running = self._services.run_at(uri)
        if running is None:
            return None
        name, run = running
        known = self._instances.get(name)
        if known is None or known[0] != run:
            self._instances[name] = known = (run, self._booted())
        return known[1]

    def replace(self, uri: str) -> Instance:
        """Have the platform take the instance away and start another, empty one."""
        running = self._services.run_at(uri)
        assert running is not None, "only what runs is replaced"
        self._instances[running[0]] = (running[1], self._booted())
        return self._instances[running[0]][1]

    def _booted(self) -> Instance:
        self._boots += 1
        return Instance(f"boot-{self._boots}")

    def _reached(self, address: Address) -> Instance:
        instance = self.instance(address.uri)
        if instance is None or not instance.reachable:
            raise Unavailable(
                "The workstation's agent cannot be reached; try again.", reason="AGENT_UNREACHABLE"
            )
        if instance.quiesced_at and self._clock.now() >= instance.quiesced_at + QUIESCE_LASTS:
            instance.quiesced_at = None
            if instance.phase is Phase.QUIESCED:
                instance.phase = Phase.READY
        return instance

    def _fenced(self, address: Address) -> Instance:
        instance = self._reached(address)
        if address.boot_id not in (None, instance.boot_id):
            raise OtherInstance(
                "The platform has replaced the instance that was meant.", reason="INSTANCE_REPLACED"
            )
        if instance.epoch is not None and address.epoch < instance.epoch:
            raise PermissionDenied(
                f"Epoch {address.epoch} is over: the workstation is in epoch {instance.epoch}.",
                reason="AGENT_REFUSED_CALLER",
            )
        instance.epoch = address.epoch
        if instance.quiesced_at:
            instance.quiesced_at = self._clock.now()
        return instance

    def _restored(self, backup: Backup, grant: Grant | None) -> dict[str, str]:
        assert grant is not None, "a backup is fetched with a grant"
        content = self._backups.download(grant)
        if hashlib.sha256(content).hexdigest() != backup.sha256:
            raise FailedPrecondition("The backup is not what was saved.", reason="AGENT_REFUSED")
        return {str(path): str(text) for path, text in json.loads(content).items()}


def _refusal(instance: Instance, idle_seconds: float | None, now: datetime) -> Quiescence | None:
    if instance.busy is not Busy.NO:
        activity = Activity(now, Source.PROCESS, instance.cause)
        return Quiescence(quiesced=False, dirty=True, activity=activity, cause=instance.cause)
    last = instance.last_activity
    if idle_seconds is not None and last and now - last.time < timedelta(seconds=idle_seconds):
        return Quiescence(quiesced=False, dirty=True, activity=last, cause="recent activity")
    return None


def _not_after(activity: Activity | None, now: datetime) -> Activity | None:
    return activity and Activity(min(activity.time, now), activity.source, activity.cause)
