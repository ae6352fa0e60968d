"""A load that cannot be done leaves the workspace as it was, and says why."""

import os
import random
import threading

import pytest

from tests.agent.workspaces import furnish, save, tree


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        ("flip", "BACKUP_CORRUPT"),
        ("truncate", "BACKUP_CORRUPT"),
        ("extend", "BACKUP_CORRUPT"),
        ("cut", "STORE_UNREACHABLE"),
        ("missing", "GRANT_REFUSED"),
        ("refused", "STORE_UNREACHABLE"),
        ("wrong digest", "BACKUP_CORRUPT"),
        ("not an archive", "BACKUP_CORRUPT"),
    ],
)
def test_a_failed_load_leaves_the_workspace_empty_and_says_why(agent, start_agent, store, harm, reason):
    (agent.workspace / "folder").mkdir()
    (agent.workspace / "folder" / "noise").write_bytes(random.Random(3).randbytes(300_000))
    save(agent, store)
    body, content = store.grant("b"), store.objects["b"]
    if harm == "flip":
        store.objects["b"] = content[:-2000] + bytes([content[-2000] ^ 1]) + content[-1999:]
    elif harm == "truncate":
        store.objects["b"] = content[:-10]
    elif harm == "extend":
        store.objects["b"] = content + b"more"
    elif harm == "cut":
        store.cut_at = len(content) // 2
    elif harm == "missing":
        store.objects.clear()
    elif harm == "refused":
        store.fail_with = 500
    elif harm == "wrong digest":
        body["backup"]["sha256"] = "0" * 64
    else:
        store.objects["b"] = b"PK" * 1000
        body = store.grant("b")
    fresh = start_agent()

    answer = fresh.control("load", body)

    assert answer.json()["error"]["details"] == [{"reason": reason}], answer.text
    assert answer.json()["reason"]
    assert "s3cret" not in answer.text
    assert os.listdir(fresh.workspace) == []
    assert fresh.http.get("/-/health").json()["state"] == "EMPTY"
    store.objects["b"], store.cut_at, store.fail_with = content, 0, 0
    assert fresh.control("load", store.grant("b")).json()["state"] == "READY"


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([5 * 2**20], id="one file larger than the volume"),
        pytest.param([2**20 - 1] * 4 + [100] * 500, id="many that fill it to the brim"),
    ],
)
def test_files_that_do_not_fit_are_refused_with_what_they_need_and_what_there_is(
    agent, start_agent, store, small, sizes
):
    """And not called damaged: with a larger size they are back."""
    for number, size in enumerate(sizes):
        (agent.workspace / f"f{number}").write_bytes(bytes(size))
    save(agent, store)
    fresh = start_agent(small)

    answer = fresh.control("load", store.grant("b"))

    assert (answer.status_code, answer.json()["error"]["details"]) == (409, [{"reason": "NO_SPACE"}])
    assert "the workspace holds 4 MiB; take a larger size" in answer.json()["error"]["message"]
    assert os.listdir(small) == []
    assert start_agent().control("load", store.grant("b")).json()["state"] == "READY"


def test_a_load_never_goes_over_what_is_there(agent, store):
    (agent.workspace / "a").write_text("one")
    save(agent, store)
    (agent.workspace / "a").write_text("two")

    assert agent.control("load", store.grant("b")).json()["state"] == "READY"
    assert (agent.workspace / "a").read_text() == "two"


def test_a_load_into_a_workspace_with_files_is_refused(agent, start_agent, store, tmp_path):
    save(agent, store)
    occupied = tmp_path / "occupied"
    occupied.mkdir()
    (occupied / "mine").write_text("mine")
    fresh = start_agent(occupied)

    answer = fresh.control("load", store.grant("b"))

    assert answer.json()["error"]["details"] == [{"reason": "NOT_EMPTY"}]
    assert os.listdir(occupied) == ["mine"]


def test_two_loads_at_once_load_once(agent, start_agent, store):
    furnish(agent.workspace)
    save(agent, store)
    fresh = start_agent()
    states = []

    def load():
        headers = {"Dormouse-Authorization": f"Bearer {fresh.signer.token(1)}"}
        states.append(fresh.http.post("/-/load", json=store.grant("b"), headers=headers).json()["state"])

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert states == ["READY"] * 4
    assert tree(fresh.workspace) == tree(agent.workspace)
