"""Firestore's records outlive a run that ended well; after one that did not, nothing that they described is left."""

import http.client
import json
import uuid
from pathlib import Path

import pytest

from emulators.stack import LocalCloud, Options
from emulators.stack.kept_state import KeptState

pytestmark = pytest.mark.firestore
DOCUMENTS = "/v1/projects/demo-dormouse/databases/(default)/documents/notes"


def options(tmp_path: Path) -> Options:
    return Options(state=tmp_path / "stack", only=frozenset({"firestore"}), any_free_ports=True)


def call(cloud: LocalCloud, method: str, path: str, body: object = None) -> int:
    connection = http.client.HTTPConnection(cloud.addresses.host("firestore"), timeout=10)
    headers = {"Authorization": "Bearer owner", "Content-Type": "application/json"}
    connection.request(method, path, json.dumps(body), headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_record_is_there_again_after_a_restart(tmp_path: Path) -> None:
    name = uuid.uuid4().hex
    with LocalCloud(options(tmp_path), say=lambda _: None) as cloud:
        assert call(cloud, "POST", f"{DOCUMENTS}?documentId={name}", {"fields": {}}) == 200

    with LocalCloud(options(tmp_path), say=lambda _: None) as cloud:
        assert call(cloud, "GET", f"{DOCUMENTS}/{name}") == 200


@pytest.fixture
def kept(tmp_path: Path) -> KeptState:
    """As a run leaves it that ended well: services, keys, an export and its seal."""
    for name in ("cloud_run/services.json", "identity/key.pem", "firestore/whole"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    state = KeptState(tmp_path)
    state.export.parent.mkdir()
    state.export.touch()
    return state


def test_a_whole_export_is_imported_and_services_are_kept(kept: KeptState) -> None:
    said: list[str] = []

    assert kept.open(said.append, ephemeral=False) == kept.export
    assert (kept.directory / "cloud_run/services.json").exists()
    assert said == []


def test_after_a_run_without_an_export_services_go_and_keys_stay_and_it_is_said(kept: KeptState) -> None:
    said: list[str] = []
    kept.begin()

    assert kept.open(said.append, ephemeral=False) is None
    assert not (kept.directory / "cloud_run").exists()
    assert (kept.directory / "identity/key.pem").exists()
    assert "ended without saving Firestore" in said[0]


def test_a_start_that_was_given_up_before_firestore_answered_costs_nothing(kept: KeptState) -> None:
    for _ in range(2):
        assert kept.open(print, ephemeral=False) == kept.export


def test_an_ephemeral_run_begins_with_nothing_and_leaves_nothing(kept: KeptState) -> None:
    assert kept.open(print, ephemeral=True) is None
    assert not (kept.directory / "cloud_run").exists()

    kept.close(ephemeral=True)
    assert not kept.directory.exists()


def test_the_page_token_key_is_drawn_once_and_private(tmp_path: Path) -> None:
    kept = KeptState(tmp_path)

    assert kept.page_token_key() == kept.page_token_key()
    assert (tmp_path / "page-token-key").stat().st_mode & 0o077 == 0
