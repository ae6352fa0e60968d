"""Writers and callers that keep an emulator busy, and remember what it has acknowledged."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2
from google.api_core.exceptions import ClientError, GoogleAPICallError, NotFound
from google.cloud import run_v2

from tests.emulators.cloud_run.driver import PARENT, Emulator, a_container, a_service, automatic, manual

COUNTER, SLEEPER = "counter", "sleeper"
CHURNERS, COUNTERS, CALLERS = 2, 2, 2
CALL_SECONDS = 20
PAUSE_SECONDS = 0.02


@dataclass
class Record:
    """What is known of one service with one writer: its value, None where there is none."""

    acknowledged: int | None = None
    in_doubt: set[int | None] = field(default_factory=set)

    def allows(self, seen: int | None) -> bool:
        return seen == self.acknowledged or seen in self.in_doubt


@dataclass
class Ledger:
    """Everything that was acknowledged since the first start of the emulator."""

    records: dict[str, Record] = field(default_factory=dict)
    operations: list[str] = field(default_factory=list)
    counted: int = 0
    """Increments of the counter that were acknowledged; each is a compare-and-set by etag."""
    count_in_doubt: int = 0
    wakes: int = 0
    writes: int = 0

    def settle(self, seen: dict[str, int], counter: int) -> None:
        """After a restart: what was in doubt is known."""
        self.records = {name: Record(seen[name]) for name in self.records if name in seen}
        self.operations.clear()
        self.counted, self.count_in_doubt = counter, 0


class Load:
    """Threads that write and call until the emulator is gone; `mark` is found in every instance's environment."""

    def __init__(self, emulator: Emulator, ledger: Ledger, mark: str, draw: random.Random) -> None:
        self._emulator, self._ledger, self._mark = emulator, ledger, mark
        self._over = threading.Event()
        self._lock = threading.Condition()
        self._surprises: list[BaseException] = []
        self._left = [name for name, record in ledger.records.items() if record.acknowledged is not None]
        parts: list[Callable[[random.Random], None]] = [
            *[self._churn] * CHURNERS,
            *[self._count] * COUNTERS,
            *[self._call] * CALLERS,
        ]
        self._threads = [
            threading.Thread(target=self._guarded, args=(part, random.Random(draw.random())))
            for part in parts
        ]

    def prepare(self) -> None:
        """The services that outlive every kill: one that is counted on, one that sleeps until it is called."""
        self._emulator.create(COUNTER, self._service(0))
        sleeper = self._service(0)
        sleeper.scaling = automatic(0, 1)
        self._emulator.create(SLEEPER, sleeper)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait_for_writes(self, count: int, seconds: float) -> None:
        """Returns when so many more writes were acknowledged."""
        with self._lock:
            wanted = self._ledger.writes + count
            assert self._lock.wait_for(lambda: self._ledger.writes >= wanted, seconds), (
                "the load stands still"
            )

    def end(self) -> None:
        """After the kill: what failed meanwhile was to be expected, anything else is raised here."""
        self._over.set()
        for thread in self._threads:
            thread.join(CALL_SECONDS + 10)
            assert not thread.is_alive(), "a call outlasted its deadline"
        if self._surprises:
            raise self._surprises[0]

    def _guarded(self, part: Callable[[random.Random], None], draw: random.Random) -> None:
        try:
            while not self._over.is_set():
                part(draw)
        except (GoogleAPICallError, httpx2.TransportError, OSError):
            return
        except BaseException as surprise:
            self._surprises.append(surprise)

    def _churn(self, draw: random.Random) -> None:
        """One service's life: created, updated by etag, perhaps run, deleted; first the end of one that a kill cut."""
        with self._lock:
            left = self._left.pop() if self._left else None
        if left is not None:
            self._insist(left, None, lambda: self._delete(left))
        service_id = f"churn-{draw.randrange(1 << 40):010x}"
        if not self._write(service_id, 0, lambda: self._create(service_id)):
            self._over.wait(PAUSE_SECONDS)
            return
        for value in range(1, draw.randint(2, 5)):
            count = draw.randint(0, 1)
            self._insist(service_id, value, lambda v=value, n=count: self._update(service_id, v, n))
        self._insist(service_id, None, lambda: self._delete(service_id))

    def _count(self, draw: random.Random) -> None:
        """The counter, one up."""
        with self._lock:
            self._ledger.count_in_doubt += 1
        try:
            before = self._emulator.get(COUNTER)
            self._patch(before, int(before.annotations["value"]) + 1)
        except ClientError:
            with self._lock:
                self._ledger.count_in_doubt -= 1
            self._over.wait(draw.uniform(0, PAUSE_SECONDS))
            return
        with self._lock:
            self._ledger.count_in_doubt -= 1
            self._ledger.counted += 1
            self._acknowledge()

    def _call(self, draw: random.Random) -> None:
        """A request that wakes the sleeper, which is put to sleep again now and then."""
        service = self._emulator.get(SLEEPER)
        answer = httpx2.get(service.uri, timeout=CALL_SECONDS, trust_env=False)
        with self._lock:
            self._ledger.wakes += answer.status_code == 200
        if draw.random() < 0.3:
            self._post(f"/instances/{self._one_of(SLEEPER)}:kill")
        self._over.wait(draw.uniform(0, PAUSE_SECONDS))

    def _one_of(self, service_id: str) -> str:
        living = self._emulator.instances(service_id)
        return str(living[0]["id"]) if living else "none"

    def _post(self, path: str) -> None:
        url = f"{self._emulator.url}/emulator/v1/services/{SLEEPER}{path}"
        httpx2.post(url, timeout=CALL_SECONDS, trust_env=False)

    def _insist(self, service_id: str, value: int | None, send: Callable[[], str]) -> None:
        while not self._over.is_set() and not self._write(service_id, value, send):
            self._over.wait(PAUSE_SECONDS)

    def _write(self, service_id: str, value: int | None, send: Callable[[], str]) -> bool:
        """Whether the write was acknowledged; in doubt where no answer came."""
        record = self._ledger.records.setdefault(service_id, Record())
        record.in_doubt.add(value)
        try:
            operation = send()
        except ClientError:
            record.in_doubt.discard(value)
            return False
        record.acknowledged = value
        record.in_doubt.clear()
        with self._lock:
            self._ledger.operations.append(operation)
            self._acknowledge()
        return True

    def _acknowledge(self) -> None:
        self._ledger.writes += 1
        self._lock.notify_all()

    def _service(self, value: int) -> run_v2.Service:
        service = a_service(containers=[a_container(env={"LOAD": self._mark})])
        service.annotations["value"] = str(value)
        return self._emulator.with_image(service)

    def _create(self, service_id: str) -> str:
        made = self._emulator.client.create_service(
            parent=PARENT, service=self._service(0), service_id=service_id, retry=None, timeout=CALL_SECONDS
        )
        return made.operation.name

    def _update(self, service_id: str, value: int, count: int) -> str:
        before = self._emulator.get(service_id)
        before.scaling = manual(count)
        return self._patch(before, value, "scaling")

    def _patch(self, service: run_v2.Service, value: int, *paths: str) -> str:
        service.annotations["value"] = str(value)
        request = {"service": service, "update_mask": {"paths": ["annotations", *paths]}}
        changed = self._emulator.client.update_service(request=request, retry=None, timeout=CALL_SECONDS)
        return changed.operation.name

    def _delete(self, service_id: str) -> str:
        etag = self._emulator.get(service_id).etag
        request = {"name": self._emulator.name(service_id), "etag": etag}
        gone = self._emulator.client.delete_service(request=request, retry=None, timeout=CALL_SECONDS)
        return gone.operation.name


def value_of(emulator: Emulator, service_id: str) -> int | None:
    """What the service's value is now; None where there is no such service."""
    try:
        return int(emulator.get(service_id).annotations["value"])
    except NotFound:
        return None
