"""The revisions of a service over its life: which is the newest, which are forgotten, whose name may come back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from google.api_core import exceptions
from google.cloud import run_v2

from emulators.clock import Clock
from emulators.cloud_run.history import History
from emulators.cloud_run.model.messages import Service, ServiceMessage
from emulators.cloud_run.model.names import Place
from emulators.cloud_run.revisions import Revisions
from emulators.cloud_run.store import Store
from tests.emulators.cloud_run.driver import POLLING, Emulator, a_service, automatic, http
from tests.emulators.cloud_run.test_admin_keeps_its_state import retemplate, revisions_of

PLACE = Place("p", "l")
STATE = run_v2.Condition.State


def condition(revision: run_v2.Revision, kind: str) -> run_v2.Condition:
    return next(found for found in revision.conditions if found.type_ == kind)


def a_generation(number: int) -> ServiceMessage:
    """A service that is ready with its revision of that number."""
    name = f"{PLACE.service('ws')}/revisions/ws-{number:05d}"
    return Service(name=PLACE.service("ws"), latest_created_revision=name, latest_ready_revision=name)


def renamed(emulator: Emulator, service_id: str, revision: str, timeout: str) -> run_v2.Service:
    template = run_v2.RevisionTemplate(revision=revision, timeout=timeout)
    service = run_v2.Service(name=emulator.name(service_id), template=template)
    mask = {"paths": ["template.revision", "template.timeout"]}
    request = run_v2.UpdateServiceRequest(service=service, update_mask=mask)
    return emulator.client.update_service(request=request).result(polling=POLLING)


def test_the_oldest_of_too_many_revisions_are_forgotten(tmp_path: Path) -> None:
    revisions = Revisions(Store(tmp_path, Clock()), PLACE, Clock(), kept=3)

    async def keep() -> None:
        for number in range(1, 6):
            revisions.follow("ws", a_generation(number))
            await revisions.save("ws")

    asyncio.run(keep())
    kept = [revision.name.rpartition("/")[2] for revision in revisions.newest_first("ws")]
    assert kept == ["ws-00005", "ws-00004", "ws-00003"]
    assert len(list((tmp_path / "revisions").glob("*.json"))) == 3


def test_a_failing_revision_leaves_the_one_that_serves_active(emulator: Emulator, service_id: str) -> None:
    service = a_service()
    service.scaling = automatic(0, 1)
    good = emulator.create(service_id, service).latest_ready_revision
    with pytest.raises(exceptions.GoogleAPICallError):
        retemplate(emulator, service_id, FAIL="1")
    revisions = revisions_of(emulator)
    assert condition(revisions.get_revision(name=good), "Active").state == STATE.CONDITION_SUCCEEDED
    bad = revisions.get_revision(name=emulator.get(service_id).latest_created_revision)
    assert condition(bad, "Ready").state == STATE.CONDITION_FAILED
    assert condition(bad, "Ready").message
    with pytest.raises(exceptions.BadRequest, match="actively serving"):
        revisions.delete_revision(name=good)


def test_an_earlier_revision_comes_back_under_its_name(emulator: Emulator, service_id: str) -> None:
    """The same name and the same configuration are that revision, not another one."""
    one, two = f"{service_id}-one", f"{service_id}-two"
    emulator.create(service_id, a_service(revision=one, timeout="60s"))
    renamed(emulator, service_id, two, "70s")
    back = renamed(emulator, service_id, one, "60s")
    assert back.latest_ready_revision.endswith(f"/{one}")
    listed = list(revisions_of(emulator).list_revisions(parent=emulator.name(service_id)))
    active = {found.name.rpartition("/")[2]: condition(found, "Active").state for found in listed}
    assert active == {one: STATE.CONDITION_SUCCEEDED, two: STATE.CONDITION_FAILED}


def test_a_revision_that_comes_back_is_not_deleted(emulator: Emulator, service_id: str) -> None:
    one, two = f"{service_id}-one", f"{service_id}-two"
    emulator.create(service_id, a_service(revision=one, timeout="60s"))
    renamed(emulator, service_id, two, "70s")
    rule = {"name": service_id, "method": "operation:DeleteRevision", "effect": "delay", "seconds": 60}
    assert http.post(f"{emulator.url}/emulator/v1/faults", json=rule).status_code == 200
    name = f"{emulator.name(service_id)}/revisions/{one}"
    operation = revisions_of(emulator).delete_revision(name=name)
    renamed(emulator, service_id, one, "60s")
    assert http.post(f"{emulator.url}/emulator/v1/clock:advance", json={"seconds": 60}).status_code == 200
    with pytest.raises(exceptions.GoogleAPICallError, match="actively serving"):
        operation.result(polling=POLLING)
    assert revisions_of(emulator).get_revision(name=name).name == name
    assert http.delete(f"{emulator.url}/emulator/v1/faults/{service_id}").status_code == 200


def test_a_list_of_the_past_reaches_as_far_as_is_remembered() -> None:
    async def remember() -> None:
        history = History(Clock(), kept=2)
        for name in ("a", "b", "c"):
            history.note(name, Service(name=name))
        history.note("a", None)
        assert [service.name for service in history.seconds_ago(0).values()] == ["b", "c"]
        assert [service.name for service in history.seconds_ago(3600).values()] == ["a", "b"]

    asyncio.run(remember())
