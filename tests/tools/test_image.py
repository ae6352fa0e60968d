"""The image of a workstation holds the agent as it is to run: without root, without writing, ready at once."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.needed import need_engine
from tools.image import build, built
from tools.image.build import engine
from tools.image.contents import bill, document
from tools.image.tarball import Tarball

PORT = 48080
TMPFS = {"/tmp": "exec", "/run": "", "/home/coder": "uid=10001,gid=10001,exec"}
WORKSPACE = {"/workspace": "uid=10001,gid=10001,exec,size=64m"}
SECOND = 1_000_000_000
ORPHANS = """
import os
for _ in range(3):
    if not os.fork():
        os.setsid()
        os.fork()
        os._exit(0)
"""


@pytest.fixture(scope="module")
def client() -> Any:
    """The engine; without one this is a failure where nothing may be left out."""
    need_engine()
    return engine()


@pytest.fixture(scope="module")
def image(client: Any) -> str:
    """The id of the python template's image, built unless its content is there."""
    return build("python").reference.partition("@")[2]


@pytest.fixture(params=[True, False], ids=["behind an init", "as process 1"])
def workstation(client: Any, image: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A started container with every restriction that the local Cloud Run puts on one."""
    container = client.containers.run(
        image,
        detach=True,
        init=request.param,
        environment={"PORT": str(PORT), "K_SERVICE": "ws-test"},
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        pids_limit=64,
        mem_limit="512m",
        tmpfs=TMPFS | WORKSPACE,
        healthcheck={"interval": SECOND, "timeout": 10 * SECOND},
    )
    yield container
    container.remove(force=True)


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 90
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def inside(container: Any, *command: str) -> tuple[int, str]:
    code, output = container.exec_run(list(command))
    return code, output.decode()


def wait_healthy(container: Any) -> None:
    def is_healthy() -> bool:
        container.reload()
        assert container.status == "running", container.logs().decode()
        return bool(container.attrs["State"]["Health"]["Status"] == "healthy")

    until(is_healthy, "the image's own health check never succeeded")


def test_it_gets_healthy_as_nobody_and_writes_only_where_it_may(workstation: Any) -> None:
    wait_healthy(workstation)

    assert inside(workstation, "id", "-u", "-n") == (0, "coder\n")
    assert inside(workstation, "id", "-u") == (0, "10001\n")
    for place in ("/workspace/a", "/tmp/a", "/home/coder/a"):
        assert inside(workstation, "touch", place)[0] == 0, place
    for place in ("/a", "/opt/dormouse/a", "/opt/dormouse/agent/app.py", "/etc/passwd", "/usr/bin/a"):
        assert inside(workstation, "sh", "-c", f">> {place}")[0] != 0, place


def test_sigterm_ends_it_in_order_within_its_grace(workstation: Any) -> None:
    wait_healthy(workstation)

    workstation.stop(timeout=60)

    assert workstation.wait()["StatusCode"] == 0


def test_orphans_are_reaped(client: Any, image: str, workstation: Any) -> None:
    """Its health check is a child of nobody inside; the orphans of a daemon are the agent's."""
    wait_healthy(workstation)

    assert inside(workstation, "/opt/dormouse/python3", "-ISc", ORPHANS)[0] == 0

    states = ("sh", "-c", "cut -d' ' -f3 /proc/[0-9]*/stat 2>/dev/null")
    until(lambda: "Z" not in inside(workstation, *states)[1], "an orphan was left unreaped")


def test_nothing_is_compiled_at_a_start(client: Any, image: str) -> None:
    found = client.containers.run(
        image,
        ["-c", "find /opt/dormouse -name '*.py' | wc -l; find /opt/dormouse -name '*.pyc' | wc -l"],
        entrypoint="sh",
        network_mode="none",
        remove=True,
    )

    sources, compiled = map(int, found.split())
    assert sources == compiled > 100


def test_the_workspace_cannot_change_what_the_agent_imports(client: Any, image: str) -> None:
    """Neither a module of a standard name there nor a variable of the user's own."""
    planted = "echo 'raise SystemExit(7)' | tee uvicorn.py agent.py asyncio.py"
    run = f"{planted}; exec /opt/dormouse/python3 -IS /opt/dormouse"
    container = client.containers.run(
        image,
        ["-c", run],
        entrypoint="sh",
        environment={"K_SERVICE": "ws-test", "PYTHONPATH": "/workspace", "PYTHONHOME": "/workspace"},
        healthcheck={"interval": SECOND, "timeout": 10 * SECOND},
        network_mode="none",
        detach=True,
    )
    try:
        wait_healthy(container)
    finally:
        container.remove(force=True)


def test_the_stack_is_told_an_image_that_is_there_and_the_second_build_does_nothing(
    client: Any, image: str
) -> None:
    assert dict(built())["python"] == f"dormouse-python@{image}"
    assert not build("python").is_new
    assert client.images.get(image).labels["org.opencontainers.image.title"] == "dormouse-python"


def test_its_bill_of_materials_names_the_agents_packages_and_debians(client: Any, image: str) -> None:
    packages = {component["purl"].partition("@")[0] for component in bill(client, f"x@{image}")["components"]}

    assert {"pkg:pypi/uvicorn", "pkg:pypi/starlette", "pkg:deb/debian/libc6"} <= packages


def test_a_package_url_is_quoted_and_each_package_is_named_once() -> None:
    packages = [("libstdc++6", "14.2.0-19"), ("libstdc++6", "14.2.0-19")]

    (component,) = document("dormouse-python@sha256:0", {"deb/debian": packages})["components"]

    assert component["purl"] == "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19"


def test_equal_files_make_equal_archives_whatever_their_times(tmp_path: Path) -> None:
    archives = []
    for number in (1, 2):
        directory = tmp_path / f"copy{number}"
        (directory / "__pycache__").mkdir(parents=True)
        (directory / "__pycache__" / "a.pyc").write_bytes(bytes([number]))
        (directory / "a.py").write_text("a = 1\n")
        os.utime(directory / "a.py", (number, number))
        with (tmp_path / f"{number}.tar").open("w+b") as file:
            with Tarball(file) as tarball:
                tarball.add(directory, "agent")
            file.seek(0)
            archives.append(file.read())

    assert archives[0] == archives[1]
