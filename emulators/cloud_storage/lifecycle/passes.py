"""When are lifecycle rules carried out?  In a pass over all buckets every hour of the clock, or when one is asked for.

A pass also frees the soft-deleted versions whose time is over.  What changes meanwhile is left to the next one.
A jump of the clock waits for the passes on its way; a bucket in which nothing has changed nor come due is passed by.
"""

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulators.clock import Clock
from emulators.cloud_storage.failures import StorageError
from emulators.cloud_storage.kept.buckets import Bucket
from emulators.cloud_storage.kept.preconditions import Preconditions
from emulators.cloud_storage.kept.records import HOLDS, ObjectRecord
from emulators.cloud_storage.kept.store import Store
from emulators.cloud_storage.lifecycle.rules import (
    ABORT_UPLOADS,
    DELETE,
    Rule,
    Seen,
    aborts,
    judge,
    parse_rules,
)
from emulators.cloud_storage.uploads.parts import PartFiles

log = logging.getLogger(__name__)

PERIOD_SECONDS = 3600.0
_BREATH = 200
"""So many versions are looked at before other requests get their turn."""


@dataclass(frozen=True, slots=True)
class _Outlook:
    """What the last visit of a bucket foresaw."""

    bucket: Bucket
    revision: int
    next_due: datetime | None

    def is_quiet(self, bucket: Bucket, now: datetime) -> bool:
        """Whether there is nothing to do yet."""
        unchanged = self.bucket is bucket and self.revision == bucket.revision
        return unchanged and (self.next_due is None or now < self.next_due)


class LifecycleRuns:
    """The passes over a store."""

    def __init__(self, store: Store, parts: PartFiles, clock: Clock) -> None:
        self._store = store
        self._parts = parts
        self._clock = clock
        self._turn = asyncio.Lock()
        self._outlooks: dict[str, _Outlook] = {}
        self._passes: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Make a pass every hour from now on; needs a running loop."""
        self._clock.call_later(PERIOD_SECONDS, self._come_round)

    def routes(self) -> list[Route]:
        """For tests and operators: ``POST /emulator/v1/lifecycle:run`` makes a pass and answers what it did."""
        return [Route("/emulator/v1/lifecycle:run", self.run_now, methods=["POST"])]

    async def run_now(self, _: Request) -> Response:
        """Make a pass: how many versions it deleted, put into another class, and freed; how many uploads it aborted."""
        done = await self.run()
        return JSONResponse({name: done[name] for name in ("deleted", "storageClassSet", "freed", "aborted")})

    async def run(self) -> Counter[str]:
        """Make a pass; passes never overlap."""
        async with self._turn:
            done: Counter[str] = Counter()
            buckets = list(self._store.buckets.values())
            self._outlooks = {b.name: self._outlooks[b.name] for b in buckets if b.name in self._outlooks}
            for bucket in buckets:
                outlook = self._outlooks.get(bucket.name)
                if outlook is None or not outlook.is_quiet(bucket, self._store.now()):
                    done += await self._visit(bucket)
                done["aborted"] += await self._abort_uploads(bucket)
            return done

    def _come_round(self) -> None:
        begun = asyncio.get_running_loop().create_task(self._run_pinned())
        # The loop itself holds tasks weakly.
        self._passes.add(begun)
        begun.add_done_callback(self._passes.discard)
        self.start()

    async def _run_pinned(self) -> None:
        with self._clock.pinned():
            try:
                await self.run()
            except Exception:
                log.exception("a lifecycle pass failed")

    async def _visit(self, bucket: Bucket) -> Counter[str]:
        done: Counter[str] = Counter()
        now, revision = self._store.now(), bucket.revision
        later = [end for record in bucket.soft_deleted.records.values() if (end := record.hard_delete)]
        if any(end <= now for end in later):
            done["freed"] += await self._free(bucket)
        rules = parse_rules(bucket.attributes.get("lifecycle", {}))
        for count, record in enumerate(list(bucket.versions.records.values()) if rules else []):
            verdict = judge(rules, Seen(record, bucket.versions.newer(record.key)), now)
            later += [verdict.next_due] if verdict.next_due else []
            if verdict.rule is not None:
                done[await self._carry_out(verdict.rule, record)] += 1
            elif count % _BREATH == 0:
                await asyncio.sleep(0)
        next_due = min((time for time in later if time > now), default=None)
        self._outlooks[bucket.name] = _Outlook(bucket, revision, next_due)
        return done

    async def _abort_uploads(self, bucket: Bucket) -> int:
        rules = parse_rules(bucket.attributes.get("lifecycle", {}))
        if not any(rule.action == ABORT_UPLOADS for rule in rules):
            return 0
        under_way = await asyncio.to_thread(lambda: list(self._parts.under_way(bucket.name)))
        now = self._store.now()
        old = [each for each in under_way if aborts(rules, each.announced.name, each.started, now)]
        for session in old:
            await asyncio.to_thread(self._parts.remove, session.id)
        return len(old)

    async def _free(self, bucket: Bucket) -> int:
        try:
            return await self._store.purge(bucket)
        except StorageError as error:
            log.info("lifecycle: %s is left: %s", bucket.name, error)
            return 0

    async def _carry_out(self, rule: Rule, record: ObjectRecord) -> str:
        """What was done: nothing when a hold or a change by somebody else forbids it."""
        unchanged = Preconditions(
            generation_match=record.generation, metageneration_match=record.metageneration
        )
        generation = None if record.is_live else str(record.generation)
        bucket, name = record.bucket, record.name
        try:
            if rule.action != DELETE:
                to = {"storageClass": rule.storage_class}
                await self._store.change_object(bucket, name, generation, lambda old: old | to, unchanged)
                return "storageClassSet"
            if not any(record.attributes.get(hold) for hold in HOLDS):
                await self._store.delete_object(bucket, name, generation, unchanged)
                return "deleted"
        except StorageError as error:
            log.info("lifecycle: %s/%s is left: %s", bucket, name, error)
        return "left"
