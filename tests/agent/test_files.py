"""Files can be read, written, listed and removed, and nothing outside the workspace can be reached."""

import hashlib
import http.client
import os
import threading
from urllib.parse import quote

import httpx2
import pytest

from tests.agent.driver import eventually


def test_a_file_is_written_with_its_parents_read_listed_and_removed(agent):
    assert agent.http.put("/-/files/a/b/c.txt", content=b"one").status_code == 201
    assert agent.http.put("/-/files/a/b/c.txt", content=b"two!").json() == {"size": 4}
    assert agent.http.get("/-/files/a/b/c.txt").content == b"two!"

    (entry,) = agent.http.get("/-/files/a/b").json()["entries"]
    assert (entry["name"], entry["type"], entry["size"]) == ("c.txt", "file", 4)
    assert agent.http.delete("/-/files/a/b/c.txt").status_code == 204
    assert agent.http.get("/-/files/a/b/c.txt").status_code == 404


@pytest.mark.parametrize(
    "name", ["ü ñ 中.txt", "a?b#c%d", "-rf", "new\nline", "…", " ", "a\\b", "\U0001f400", "x" * 255, "q'\""]
)
def test_odd_names_work(agent, name):
    assert agent.http.put(f"/-/files/{quote(name)}", content=b"x").status_code == 201
    assert agent.http.get(f"/-/files/{quote(name)}").content == b"x"
    assert [entry["name"] for entry in agent.http.get("/-/files/").json()["entries"]] == [name]


def test_names_that_are_not_utf_8_are_reached_by_their_bytes(agent):
    assert agent.http.put("/-/files/%ff%fe", content=b"x").status_code == 201
    assert os.listdir(os.fsencode(agent.workspace)) == [b"\xff\xfe"]
    assert agent.http.get("/-/files/%ff%fe").content == b"x"


def test_a_large_file_streams_both_ways(agent):
    pieces = [os.urandom(1_000_000) for _ in range(30)]

    agent.http.put("/-/files/large", content=iter(pieces))

    digest = hashlib.sha256()
    with agent.http.stream("GET", "/-/files/large") as answer:
        for piece in answer.iter_raw():
            digest.update(piece)
    assert digest.hexdigest() == hashlib.sha256(b"".join(pieces)).hexdigest()


def test_a_head_tells_the_size_alone(shared):
    shared.http.put("/-/files/x", content=b"12345")

    answer = shared.http.head("/-/files/x")

    assert (answer.headers["content-length"], answer.content) == ("5", b"")


@pytest.mark.parametrize(
    "path",
    [
        "../outside",
        "a/../../outside",
        "%2e%2e/outside",
        "..%2foutside",
        "a/%2e%2e/%2e%2e/outside",
        "./x",
        "a%00b",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_dots_and_nul_are_refused(shared, path, method):
    outside = shared.workspace.parent / "outside"
    outside.write_text("secret")
    # http.client sends the path as it is; others resolve the dots themselves.
    client = http.client.HTTPConnection("127.0.0.1", shared.port)

    client.request(method, f"/-/files/{path}", body=b"x" if method == "PUT" else None)

    assert client.getresponse().status == 400
    client.close()
    assert [path.name for path in shared.workspace.iterdir()] in ([], ["x"])
    assert outside.read_text() == "secret"


def test_links_are_never_followed(agent):
    outside = agent.workspace.parent / "private"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (agent.workspace / "door").symlink_to(outside)
    (agent.workspace / "key").symlink_to(outside / "secret")
    (agent.workspace / "dangling").symlink_to(outside / "new")

    for name in ("door/secret", "key"):
        assert agent.http.get(f"/-/files/{name}").status_code == 403
    assert agent.http.get("/-/files/door").status_code == 403
    assert agent.http.put("/-/files/door/new", content=b"x").status_code == 403
    for name in ("key", "dangling"):
        assert agent.http.put(f"/-/files/{name}", content=b"x").status_code == 400
    assert agent.http.delete("/-/files/door/secret").status_code == 403
    assert agent.http.delete("/-/files/door?recursive=true").status_code == 204
    assert os.listdir(outside) == ["secret"]
    assert (outside / "secret").read_text() == "secret"


def test_a_recursive_delete_removes_links_not_what_they_lead_to(agent):
    outside = agent.workspace.parent / "private"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (agent.workspace / "tree" / "deep").mkdir(parents=True)
    (agent.workspace / "tree" / "deep" / "door").symlink_to(outside)

    refused = agent.http.delete("/-/files/tree")

    assert (refused.status_code, "recursive=true" in refused.json()["error"]["message"]) == (409, True)
    assert agent.http.delete("/-/files/tree?recursive=true").status_code == 204
    assert os.listdir(outside) == ["secret"]
    assert list(agent.workspace.iterdir()) == []


def test_a_fifo_or_a_directory_is_not_a_file(agent):
    os.mkfifo(agent.workspace / "pipe")
    (agent.workspace / "folder").mkdir()

    assert agent.http.get("/-/files/pipe").status_code == 400
    assert agent.http.put("/-/files/pipe", content=b"x").status_code == 400
    assert agent.http.put("/-/files/folder", content=b"x").status_code == 409
    assert agent.http.put("/-/files/", content=b"x").status_code == 400
    assert agent.http.delete("/-/files/?recursive=true").status_code == 400


def test_a_name_beneath_a_file_is_a_400(agent):
    agent.http.put("/-/files/file", content=b"x")

    assert agent.http.put("/-/files/file/below", content=b"x").status_code == 400


def test_the_mode_of_a_replaced_file_is_kept(agent):
    script = agent.workspace / "run.sh"
    script.write_text("old")
    script.chmod(0o750)

    agent.http.put("/-/files/run.sh", content=b"new")

    assert (script.read_text(), script.stat().st_mode & 0o7777) == ("new", 0o750)


def test_an_upload_that_breaks_off_leaves_the_old_file_and_no_trace(agent):
    agent.http.put("/-/files/kept", content=b"old")

    def breaking():
        yield b"new" * 1000
        eventually(lambda: len(os.listdir(agent.workspace)) == 2)
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        agent.http.put("/-/files/kept", content=breaking())

    assert eventually(lambda: os.listdir(agent.workspace) == ["kept"])
    assert (agent.workspace / "kept").read_text() == "old"


def test_a_reader_never_sees_half_of_a_write(agent):
    agent.http.put("/-/files/f", content=b"a" * 500_000)
    seen = set()
    done = threading.Event()

    def read():
        while not done.is_set():
            seen.add(httpx2.get(f"{agent.url}/-/files/f", trust_env=False).content)

    reader = threading.Thread(target=read)
    reader.start()
    for letter in b"bcdefgh":
        agent.http.put("/-/files/f", content=bytes([letter]) * 500_000)
    done.set()
    reader.join()

    assert all(len(content) == 500_000 and len(set(content)) == 1 for content in seen)


def test_a_full_workspace_is_a_507_and_the_old_file_stays(start_agent, small):
    agent = start_agent(small)
    agent.load()
    agent.http.put("/-/files/kept", content=b"old")

    answer = agent.http.put("/-/files/kept", content=b"x" * 6_000_000)

    error = answer.json()["error"]
    assert (answer.status_code, error["details"][0]["reason"]) == (507, "NO_SPACE")
    assert error["details"][0]["limitMib"] == 4
    assert "of 4 MiB are used" in error["message"]
    assert "larger size" in error["message"]
    assert os.listdir(small) == ["kept"]
    assert (small / "kept").read_text() == "old"
    assert agent.http.get("/-/health").json()["workspace"]["limitBytes"] == 4 * 1024 * 1024
