"""What a signed-in browser may do to the database: read its own, a page at a time, and nothing else."""

from typing import Any

import pytest

from shared.adapters.firestore.paths import document_id
from tests.builders import UID, a_workstation

pytestmark = pytest.mark.firestore

WORKSTATION = f"/workstations/{a_workstation(owner='ada').id}"
READABLE = {
    "workstations": WORKSTATION,
    "events": f"{WORKSTATION}/events/{UID}-1",
    "users": "/users/ada",
    "ledger": f"/ledger/{UID}-1-0",
    "operations": "/operations/op-ada",
}
EVERYTHING = {**READABLE, "requests": "/requests/key-ada", "others": "/others/x"}

readable = pytest.mark.parametrize("path", READABLE.values(), ids=READABLE.keys())
everything = pytest.mark.parametrize("path", EVERYTHING.values(), ids=EVERYTHING.keys())


def collection_of(path: str) -> str:
    return path.rpartition("/")[0]


def owners_in(answer: Any) -> list[str]:
    rows = [row["document"] for row in answer.json() if "document" in row]
    return [row["fields"]["owner"]["stringValue"] for row in rows]


def test_the_rules_compile_without_a_remark(uploaded: dict[str, Any]) -> None:
    """An unknown function is only a remark, and makes its rule refuse at run time."""
    assert uploaded.get("issues", []) == []


@pytest.mark.mission("SEC-09")
@readable
def test_an_owner_gets_what_is_his(client: Any, path: str) -> None:
    answer = client.request("ada", "GET", path)
    assert answer.status_code == 200
    assert answer.json()["fields"]["owner"] == {"stringValue": "ada"}


@readable
def test_an_owner_lists_what_is_his_and_only_that(client: Any, path: str) -> None:
    answer = client.query("ada", collection_of(path), "ada", 100)
    assert answer.status_code == 200
    assert owners_in(answer) == ["ada"]


@pytest.mark.mission("SEC-09")
@readable
@pytest.mark.parametrize("uid", ["bob", None, "", "ada/", "ADA"])
def test_nobody_else_gets_it(client: Any, path: str, uid: str | None) -> None:
    assert client.request(uid, "GET", path).status_code == 403


@readable
@pytest.mark.parametrize("uid", ["bob", None])
def test_nobody_else_lists_it(client: Any, path: str, uid: str | None) -> None:
    assert client.query(uid, collection_of(path), "ada", 100).status_code == 403


@readable
def test_a_list_must_ask_for_ones_own(client: Any, path: str) -> None:
    """Rules are no filter: a query that could meet another's document is refused whole."""
    assert client.query("ada", collection_of(path), None, 100).status_code == 403
    assert client.request("ada", "GET", collection_of(path), params={"pageSize": 10}).status_code == 403


@readable
@pytest.mark.parametrize("limit", [101, 100_000, None])
def test_a_list_is_at_most_a_page(client: Any, path: str, limit: int | None) -> None:
    assert client.query("ada", collection_of(path), "ada", limit).status_code == 403


@readable
def test_a_collection_group_is_not_a_way_round(client: Any, path: str) -> None:
    name = collection_of(path).rpartition("/")[2]
    answer = client.query("ada", f"/{name}", None, 100, allDescendants=True)
    assert answer.status_code == 403


@pytest.mark.mission("SEC-09")
@everything
def test_an_owner_writes_nothing(client: Any, path: str) -> None:
    """Neither a changed budget, nor another's name on it, nor an end of it."""
    fields = {"fields": {"owner": {"stringValue": "ada"}, "dailyCap": {"integerValue": "999"}}}
    before = client.request("ada", "GET", path).text
    assert client.request("ada", "PATCH", path, json=fields).status_code == 403
    mask = {"updateMask.fieldPaths": "dailyCap"}
    assert client.request("ada", "PATCH", path, json=fields, params=mask).status_code == 403
    assert client.request("ada", "DELETE", path).status_code == 403
    assert client.request("ada", "POST", collection_of(path), json=fields).status_code == 403
    assert client.request("ada", "GET", path).text == before


@everything
@pytest.mark.parametrize("uid", ["bob", None])
def test_nobody_else_writes_either(client: Any, path: str, uid: str | None) -> None:
    fields = {"fields": {"owner": {"stringValue": uid or ""}}}
    assert client.request(uid, "PATCH", path, json=fields).status_code == 403
    assert client.request(uid, "DELETE", path).status_code == 403
    assert client.request(uid, "POST", collection_of(path), json=fields).status_code == 403


def test_a_write_hidden_in_a_commit_is_refused(client: Any) -> None:
    name = f"projects/{client.project}/databases/(default)/documents/users/ada"
    body = {"writes": [{"update": {"name": name, "fields": {"dailyCap": {"integerValue": "999"}}}}]}
    assert client.request("ada", "POST", ":commit", json=body).status_code == 403


@pytest.mark.parametrize("uid", ["ada", "bob", None])
def test_the_memory_of_requests_is_the_servers_own(client: Any, uid: str | None) -> None:
    assert client.request(uid, "GET", EVERYTHING["requests"]).status_code == 403
    assert client.query(uid, "/requests", "ada", 10).status_code == 403


@readable
def test_what_is_absent_looks_like_what_is_anothers(client: Any, path: str) -> None:
    absent, anothers = (
        client.request(uid, "GET", path + suffix) for uid, suffix in (("bob", "x"), ("bob", ""))
    )
    assert (absent.status_code, anothers.status_code) == (403, 403)


def test_an_owner_whose_name_is_no_document_id_still_gets_his_budget(client: Any) -> None:
    path = f"/users/{document_id('a/b')}"
    assert client.request("a/b", "GET", path).status_code == 200
    assert client.request("a", "GET", path).status_code == 403
