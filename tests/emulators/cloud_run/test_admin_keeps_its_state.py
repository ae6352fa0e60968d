"""What the Admin API has acknowledged is there after a kill: revisions, policies, operations; and nothing half."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2

from emulators.clock import Clock
from emulators.cloud_run.store import Store
from tests.emulators.cloud_run.driver import (
    PARENT,
    POLLING,
    Emulator,
    a_container,
    a_service,
    end,
    http,
    running,
    start,
)

INVOKER = {"role": "roles/run.invoker", "members": ["allUsers"]}


def revisions_of(emulator: Emulator) -> run_v2.RevisionsClient:
    return run_v2.RevisionsClient(
        transport="rest",
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=emulator.url),
    )


def retemplate(emulator: Emulator, service_id: str, **env: str) -> run_v2.Service:
    container = a_container(env=env, image=emulator.image)
    service = run_v2.Service(
        name=emulator.name(service_id), template=run_v2.RevisionTemplate(containers=[container])
    )
    request = run_v2.UpdateServiceRequest(service=service, update_mask={"paths": ["template.containers"]})
    return emulator.client.update_service(request=request).result(polling=POLLING)


@contextmanager
def killed_and_started(emulator: Emulator) -> Iterator[Emulator]:
    emulator.process.send_signal(signal.SIGKILL)
    emulator.process.wait()
    again = start(emulator.state, *emulator.flags, port=emulator.port)
    try:
        yield again
    finally:
        end(again)


def test_revisions_and_policies_outlive_a_kill(tmp_path: Path) -> None:
    first = start(tmp_path)
    first.create("ws")
    retemplate(first, "ws", NEW="1")
    policy = first.client.set_iam_policy({"resource": first.name("ws"), "policy": {"bindings": [INVOKER]}})
    before = list(revisions_of(first).list_revisions(parent=first.name("ws")))
    assert len(before) == 2
    with killed_and_started(first) as second:
        assert list(revisions_of(second).list_revisions(parent=second.name("ws"))) == before
        assert second.client.get_iam_policy({"resource": second.name("ws")}) == policy


def test_a_deleted_service_takes_its_files_with_it(tmp_path: Path) -> None:
    with running(tmp_path) as emulator:
        emulator.create("ws")
        retemplate(emulator, "ws", NEW="1")
        emulator.client.set_iam_policy({"resource": emulator.name("ws"), "policy": {"bindings": [INVOKER]}})
        emulator.client.delete_service(name=emulator.name("ws")).result(polling=POLLING)
        for kind in ("services", "revisions", "policies"):
            assert list((tmp_path / kind).glob("*")) == []


def test_a_delete_of_a_revision_that_was_interrupted_is_finished(tmp_path: Path) -> None:
    first = start(tmp_path)
    retired = first.create("ws").latest_created_revision
    retemplate(first, "ws", NEW="1")
    rule = {"name": "slow", "method": "operation:DeleteRevision", "effect": "hang"}
    assert http.post(f"{first.url}/emulator/v1/faults", json=rule).status_code == 200
    operation = revisions_of(first).delete_revision(name=retired).operation
    assert not first.client.get_operation({"name": operation.name}).done
    with killed_and_started(first) as second:
        assert second.client.get_operation({"name": operation.name}).done
        with pytest.raises(exceptions.NotFound):
            revisions_of(second).get_revision(name=retired)


def test_a_create_that_was_interrupted_is_finished(tmp_path: Path) -> None:
    first = start(tmp_path, "--operation-delay", "3600")
    operation = first.client.create_service(
        parent=PARENT, service=first.with_image(a_service()), service_id="ws"
    )
    with killed_and_started(first) as second:
        assert second.client.get_operation({"name": operation.operation.name}).done
        assert not second.get("ws").reconciling


def test_the_last_of_many_writes_is_on_disk(tmp_path: Path) -> None:
    async def write(store: Store) -> None:
        await asyncio.gather(*(store.put("things", "one", {"number": number}) for number in range(50)))
        assert store.load("things") == {"one": {"number": 49}}
        await asyncio.gather(store.remove("things", "one"), store.put("things", "one", {"number": 50}))
        assert store.load("things") == {"one": {"number": 50}}

    asyncio.run(write(Store(tmp_path, Clock())))


def test_no_write_is_acknowledged_that_failed(tmp_path: Path) -> None:
    (tmp_path / "things").write_text("in the way")

    async def write(store: Store) -> list[BaseException | None]:
        attempts = [store.put("things", "one", {"number": number}) for number in range(3)]
        return await asyncio.gather(*attempts, return_exceptions=True)

    outcomes = asyncio.run(write(Store(tmp_path, Clock())))
    assert [type(outcome) for outcome in outcomes] == [FileExistsError] * 3
