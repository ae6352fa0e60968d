"""What is saved comes back byte for byte, and what cannot be saved or loaded is told, not lost."""

import hashlib
import os
import random
import subprocess
import threading

import pytest
import zstandard

from tests.agent.driver import eventually
from tests.agent.workspaces import furnish, save, tree


def test_a_workspace_comes_back_byte_for_byte(agent, start_agent, store):
    furnish(agent.workspace)
    saved = save(agent, store).json()
    fresh = start_agent()

    loaded = fresh.control("load", store.grant("b"))

    assert loaded.json()["state"] == "READY", loaded.text
    assert tree(fresh.workspace) == tree(agent.workspace)
    assert saved["files"] == loaded.json()["files"] == 510
    assert (saved["state"], saved["unchanged"], saved["skipped"], saved["changedWhileSaving"]) == (
        "SAVED",
        False,
        [],
        [],
    )
    assert (saved["sha256"], saved["size"]) == (
        hashlib.sha256(store.objects["b"]).hexdigest(),
        len(store.objects["b"]),
    )
    assert store.headers["b"]["x-goog-if-generation-match"] == "0"
    assert not fresh.activity()["dirty"]


def test_the_archive_is_a_plain_tar_that_others_can_read(agent, store, tmp_path):
    furnish(agent.workspace)
    save(agent, store)
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(store.objects["b"])
    out = tmp_path / "out"
    out.mkdir()

    subprocess.run(["tar", "-x", "-C", out], input=plain, check=True)

    assert tree(out) == tree(agent.workspace)


def test_dirty_tells_every_kind_of_change_and_a_save_ends_it(agent, store):
    root = agent.workspace
    (root / "a").write_text("one")
    known = save(agent, store).json()["sha256"]
    changes = [
        lambda: (root / "b").write_text("new"),
        lambda: (root / "a").write_text("two"),
        lambda: (root / "a").chmod(0o700),
        lambda: (root / "a").rename(root / "c"),
        lambda: (root / "empty").mkdir(),
        lambda: (root / "link").symlink_to("c"),
        lambda: (root / "c").unlink(),
    ]
    for change in changes:
        assert save(agent, store, known=known).json()["unchanged"] is True
        change()
        assert eventually(lambda: agent.activity()["dirty"])
        saved = save(agent, store, known=known).json()
        assert saved["unchanged"] is False
        known = saved["sha256"]
        assert eventually(lambda: not agent.activity()["dirty"])


def test_an_unchanged_workspace_is_not_uploaded_again(agent, store):
    (agent.workspace / "a").write_text("one")
    first = save(agent, store).json()

    second = save(agent, store, "c", known=first["sha256"]).json()

    assert second == first | {"unchanged": True}
    assert "c" not in store.objects


def test_the_first_save_of_an_empty_workspace_makes_a_backup_that_can_be_loaded(agent, start_agent, store):
    assert save(agent, store).json()["files"] == 0

    assert start_agent().control("load", store.grant("b")).json()["state"] == "READY"


def test_a_loaded_workspace_that_was_not_touched_is_unchanged(agent, start_agent, store):
    (agent.workspace / "a").write_text("one")
    first = save(agent, store).json()
    fresh = start_agent()
    fresh.control("load", store.grant("b"))

    again = save(fresh, store, "c", known=first["sha256"]).json()

    assert (again["unchanged"], again["sha256"], again["size"]) == (True, first["sha256"], first["size"])


def test_a_save_that_is_not_on_record_is_made_again(agent, store):
    """It may have arrived damaged: the agent's own memory of it proves nothing."""
    (agent.workspace / "a").write_text("one")
    first = save(agent, store).json()

    again = save(agent, store, "c").json()

    assert (again["unchanged"], again["sha256"]) == (False, first["sha256"])
    assert store.puts == 2


def test_a_save_works_while_quiesced_and_keeps_it_quiesced(agent, store):
    (agent.workspace / "a").write_text("one")
    assert agent.control("quiesce").json()["dirty"] is True

    assert save(agent, store).status_code == 200
    assert agent.http.get("/-/health").json()["state"] == "QUIESCED"
    assert agent.control("quiesce").json()["dirty"] is False


def test_a_refused_upload_is_told_and_leaves_the_workspace_dirty(agent, store):
    (agent.workspace / "a").write_text("one")
    store.fail_with = 403

    answer = save(agent, store)

    assert (answer.status_code, answer.json()["error"]["details"]) == (409, [{"reason": "GRANT_REFUSED"}])
    assert "AccessDenied" in answer.json()["reason"]
    assert "s3cret" not in answer.text
    assert eventually(lambda: agent.activity()["dirty"])
    store.fail_with = 503
    assert save(agent, store).status_code == 503
    store.fail_with = 0
    assert save(agent, store).json()["files"] == 1


def test_a_file_that_changes_all_the_time_is_named_and_the_workspace_stays_dirty(agent, store):
    restless = agent.workspace / "log"
    restless.write_bytes(random.Random(4).randbytes(40_000_000))
    (agent.workspace / "calm").write_text("calm")
    writer = subprocess.Popen(["sh", "-c", "while :; do echo line; done >> log"], cwd=agent.workspace)
    saved = save(agent, store).json()
    writer.kill()
    writer.wait()

    assert (saved["changedWhileSaving"], saved["files"]) == (["log"], 2)
    assert agent.activity()["dirty"] is True


def test_a_file_that_changed_once_is_read_again(agent, start_agent, store):
    """The save reads a large file first; what was appended meanwhile is in the backup."""
    large = agent.workspace / "large"
    large.write_bytes(random.Random(2).randbytes(60_000_000))
    answers = []
    store.proceed.clear()
    saving = threading.Thread(target=lambda: answers.append(save(agent, store).json()))
    saving.start()
    assert store.began.wait(20)
    with large.open("ab") as file:
        file.write(b"appended")
    store.proceed.set()
    saving.join()
    fresh = start_agent()

    assert fresh.control("load", store.grant("b")).json()["files"] == 1
    assert answers[0]["changedWhileSaving"] == []
    assert (fresh.workspace / "large").read_bytes() == large.read_bytes()


def test_what_cannot_be_saved_is_named(agent, store):
    os.mkfifo(agent.workspace / "pipe")

    (skipped,) = save(agent, store).json()["skipped"]

    assert skipped["path"] == "pipe"


@pytest.mark.parametrize(
    ("call", "body", "fields"),
    [
        ("load", {"backup": 3}, {"backup", "backup.sha256", "backup.size"}),
        (
            "load",
            {"backup": {"url": "file:///etc/passwd", "sha256": "x", "size": -1}},
            {"backup.url", "backup.sha256", "backup.size"},
        ),
        ("save", {}, {"upload"}),
        (
            "save",
            {"upload": {"url": "gs://x", "headers": {"a": 1}}, "known": "abc"},
            {"upload.url", "upload.headers", "known"},
        ),
    ],
)
def test_every_bad_field_of_a_grant_is_named(shared, call, body, fields):
    error = shared.control(call, body).json()["error"]

    assert error["code"] == 400
    assert {violation["field"] for violation in error["details"][0]["fieldViolations"]} == fields


def test_nothing_is_saved_of_an_empty_instance(empty, store):
    assert save(empty, store).status_code == 409
    assert store.puts == 0
