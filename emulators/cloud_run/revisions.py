"""Which revisions exist? Every one that a service has had, on disk beside it, until it or the service is deleted."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Collection

from google.protobuf import json_format

from emulators.clock import Clock
from emulators.cloud_run.history import History
from emulators.cloud_run.model.errors import not_found
from emulators.cloud_run.model.messages import ServiceMessage, TemplateMessage, to_json
from emulators.cloud_run.model.names import Place
from emulators.cloud_run.model.revision_resource import (
    Revision,
    follow,
    is_retired,
    new_revision,
    template_of,
)
from emulators.cloud_run.store import Store
from emulators.rpc.method import Message

KIND = "revisions"
KEPT = 1000


class Revisions:
    """The revisions of all services, by service id and revision id; oldest first."""

    def __init__(self, store: Store, place: Place, clock: Clock, kept: int = KEPT) -> None:
        self._store = store
        self._place = place
        self._clock = clock
        self._kept = kept
        self._services: defaultdict[str, dict[str, Message]] = defaultdict(dict)
        self._unsaved: defaultdict[str, set[str]] = defaultdict(set)
        self._history = History(clock)

    def load(self, service_ids: Collection[str]) -> None:
        """What the disk remembers of these services; of others there is nothing that anybody could still name."""
        found = [json_format.ParseDict(text, Revision()) for text in self._store.load(KIND).values()]
        for revision in sorted(found, key=_age):
            if revision.service in service_ids:
                self._services[revision.service][_id(revision.name)] = revision
                self._history.begin_with(revision.name, revision)

    def get(self, service_id: str, revision_id: str, ago: float = 0.0) -> Message:
        """One revision, as it was so many seconds ago; NOT_FOUND when there is none."""
        if ago:
            revision = self._history.seconds_ago(ago).get(self._name(service_id, revision_id))
        else:
            revision = self._services.get(service_id, {}).get(revision_id)
        if revision is None:
            raise not_found(self._name(service_id, revision_id))
        return revision

    def newest_first(self, service_id: str | None, ago: float = 0.0) -> list[Message]:
        """The revisions of a service, as they were so many seconds ago; of all services for None."""
        services = self._services.values() if service_id is None else [self._services.get(service_id, {})]
        every = [revision for revisions in services for revision in revisions.values()]
        if ago:
            then = self._history.seconds_ago(ago).values()
            every = [revision for revision in then if service_id in (None, revision.service)]
        return sorted(every, key=_age, reverse=True)

    def templates(self, service_id: str, *revision_ids: str) -> dict[str, TemplateMessage]:
        """What made those of the revisions that are there, by their ids."""
        revisions = self._services.get(service_id, {})
        return {key: template_of(revisions[key]) for key in revision_ids if key in revisions}

    def follow(self, service_id: str, service: ServiceMessage) -> None:
        """Take over what became of a service: a new revision, one that is ready, one that is retired."""
        revisions, now = self._services[service_id], self._clock.now()
        newest = _id(service.latest_created_revision)
        if newest not in revisions:
            revisions[newest] = new_revision(service, str(uuid.uuid4()), now)
            self._unsaved[service_id].add(newest)
            self._history.note(revisions[newest].name, revisions[newest])
        changed = {key for key, revision in revisions.items() if follow(revision, service, now)}
        self._unsaved[service_id] |= changed
        for key in changed:
            self._history.note(revisions[key].name, revisions[key])

    async def save(self, service_id: str) -> None:
        """Write what `follow` changed, and forget the oldest of those that do not serve when there are too many."""
        changed, revisions = self._unsaved.pop(service_id, set()), self._services[service_id]
        retired = [key for key, revision in revisions.items() if is_retired(revision)]
        surplus = retired[: max(0, len(revisions) - self._kept)]
        await asyncio.gather(
            *(self._store.put(KIND, _key(service_id, key), to_json(revisions[key])) for key in changed),
            *(self.remove(service_id, key) for key in surplus),
        )

    async def save_all(self) -> None:
        """Write whatever `follow` changed and nobody has saved."""
        await asyncio.gather(*(self.save(service_id) for service_id in list(self._unsaved)))

    async def remove(self, service_id: str, revision_id: str) -> None:
        """Forget a revision; a missing one is fine."""
        self._services[service_id].pop(revision_id, None)
        self._history.note(self._name(service_id, revision_id), None)
        await self._store.remove(KIND, _key(service_id, revision_id))

    async def forget(self, service_id: str) -> None:
        """Forget the revisions of a service that is deleted."""
        self._unsaved.pop(service_id, None)
        revisions = self._services.pop(service_id, {})
        for key in revisions:
            self._history.note(self._name(service_id, key), None)
        await asyncio.gather(*(self._store.remove(KIND, _key(service_id, key)) for key in revisions))

    def _name(self, service_id: str, revision_id: str) -> str:
        return f"{self._place.service(service_id)}/revisions/{revision_id}"


def _key(service_id: str, revision_id: str) -> str:
    return f"{service_id}.{revision_id}"


def _age(revision: Message) -> tuple[int, str]:
    return revision.create_time.ToNanoseconds(), revision.name


def _id(name: str) -> str:
    return name.rpartition("/")[2]
