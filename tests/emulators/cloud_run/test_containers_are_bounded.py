"""On Docker: what a container may use, what it may do, whom it reaches, and that nothing of it stays behind."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest
from google.api_core import exceptions
from google.cloud import run_v2

from emulators.cloud_run.runtime.docker.logs import LOG_BYTES
from tests.emulators.cloud_run.driver import (
    IMAGE,
    Emulator,
    a_container,
    a_service,
    automatic,
    eventually,
    manual,
    running,
)
from tests.emulators.cloud_run.driver import (
    http as client,
)

pytestmark = pytest.mark.usefixtures("engine")
MIB = 1 << 20
ANOTHER = "127.0.0.1:9"


class Hello(http.server.BaseHTTPRequestHandler):
    """Something of this machine behind a door."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from outside")

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def servers() -> Iterator[list[int]]:
    """Two ports of this machine where something answers: the first gets a door."""
    started = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello) for _ in range(2)]
    for server in started:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield [server.server_port for server in started]
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory, servers: list[int], engine: None) -> Iterator[Emulator]:
    """An emulator with one door."""
    state = tmp_path_factory.mktemp("bounded")
    flags = ("--grace", "1", "--door", f"127.0.0.1:{servers[0]}", "--door", ANOTHER)
    with running(state, *flags, runtime="docker") as emulator:
        yield emulator


@pytest.fixture(scope="module")
def sdk() -> Iterator[Any]:
    with closing(docker.from_env()) as opened:
        yield opened


def woken(emulator: Emulator, service_id: str, **fields: Any) -> str:
    service = a_service()
    if fields:
        service.template.volumes = [
            run_v2.Volume(name="workspace", empty_dir=run_v2.EmptyDirVolumeSource(size_limit="8Mi"))
        ]
        service.template.containers = [a_container(**fields)]
    emulator.create(service_id, service)
    uri = emulator.scale(service_id, automatic(0, 1)).uri
    assert client.get(uri).status_code == 200
    return uri


def run(uri: str, code: str) -> dict[str, Any]:
    """What the code says that ran inside."""
    return client.get(f"{uri}/python", params={"code": code}).json()


def tries_to_reach(uri: str, host: str, port: int) -> str:
    code = (
        "import socket\n"
        f"try: socket.create_connection(({host!r}, {port}), 2); print('reached')\n"
        "except OSError as error: print('refused' if error.errno else 'silence')"
    )
    return run(uri, code)["out"].strip()


@pytest.mark.mission("SEC-02")
def test_every_limit_is_the_kernels(bounded: Emulator, sdk: Any) -> None:
    resources = run_v2.ResourceRequirements(limits={"memory": "256Mi", "cpu": "0.5"}, cpu_idle=True)
    mount = run_v2.VolumeMount(name="workspace", mount_path="/workspace")
    uri = woken(
        bounded, "limits", resources=resources, volume_mounts=[mount], env={"WORKSPACE": "/workspace"}
    )
    [instance] = bounded.instances("limits")
    facts = sdk.api.inspect_container(instance["container"])
    host, config = facts["HostConfig"], facts["Config"]
    assert host["Memory"] == host["MemorySwap"] == 256 * MIB
    assert host["NanoCpus"] == 500_000_000
    assert host["PidsLimit"] == 512
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["ReadonlyRootfs"]
    assert host["Init"]
    assert not host["Privileged"]
    assert host["RestartPolicy"]["Name"] == "no"
    assert not host["PortBindings"]
    assert not host["Binds"]
    assert facts["Mounts"] == []
    assert f"size={8 * MIB}" in host["Tmpfs"]["/workspace"].split(",")
    assert set(host["Tmpfs"]) == {"/workspace", "/tmp", "/run", config_home(config)}
    assert config["User"] == "10001:10001"
    assert config["Hostname"] == "limits"
    assert config["Healthcheck"]["Test"]
    assert instance["limits"] == {"memoryBytes": 256 * MIB, "cpuMillis": 500, "pids": 512}
    status = run(uri, "print(open('/proc/self/status').read())")["out"]
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert "Uid:\t10001\t10001" in status
    assert "Read-only file system" in run(uri, "open('/app/x', 'w')")["error"]
    assert (
        run(uri, "import os; [open(os.path.join(d, 'x'), 'w') for d in (os.environ['HOME'], '/tmp')]")["code"]
        == 0
    )


def config_home(config: dict[str, Any]) -> str:
    return dict(variable.split("=", 1) for variable in config["Env"])["HOME"]


def test_processes_are_counted(bounded: Emulator) -> None:
    uri = woken(bounded, "forks")
    code = (
        "import os, time\n"
        "try:\n"
        "    for count in range(2000):\n"
        "        if os.fork() == 0: time.sleep(60)\n"
        "except OSError: print(count)\n"
        "os.killpg(0, 9)"
    )
    script = (
        "import subprocess, sys\n"
        f"ended = subprocess.run([sys.executable, '-uc', {code!r}], start_new_session=True, capture_output=True)\n"
        "print(ended.stdout.decode())"
    )
    assert 300 < int(run(uri, script)["out"]) < 512


def test_doors_lead_to_what_they_name_and_to_nothing_else(bounded: Emulator, servers: list[int]) -> None:
    uri = woken(bounded, "doors")
    fetch = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:%d/', timeout=5).read().decode())"
    for _ in range(3):
        eventually(lambda: bounded.instances("doors", "FROZEN"))
        assert run(uri, fetch % servers[0])["out"].strip() == "hello from outside"
    assert tries_to_reach(uri, "127.0.0.1", servers[1]) == "refused"
    assert tries_to_reach(uri, "127.0.0.1", bounded.port) == "refused"
    [instance] = bounded.instances("doors")
    gateway = instance["host"].rpartition(".")[0] + "." + str(int(instance["host"].rpartition(".")[2]) - 1)
    for port in (*servers, bounded.port):
        assert tries_to_reach(uri, gateway, port) == "refused"
    # Nobody is behind this door, so it lets in and closes.
    silent = "import socket; s = socket.create_connection(('127.0.0.1', 9), 2); print(s.recv(1) == b'')"
    answer = run(uri, silent)
    assert answer["out"].strip() == "True" or "ConnectionReset" in answer["error"]


@pytest.mark.mission("SEC-03")
def test_services_do_not_reach_each_other(bounded: Emulator) -> None:
    one, other = woken(bounded, "one"), woken(bounded, "other")
    [of_one], [of_other] = bounded.instances("one"), bounded.instances("other")
    assert of_one["network"] != of_other["network"]
    assert tries_to_reach(one, of_one["host"], 8080) == "reached"
    assert tries_to_reach(one, of_other["host"], 8080) != "reached"
    assert tries_to_reach(other, of_one["host"], 8080) != "reached"


def test_nothing_of_the_emulator_listens_off_loopback(bounded: Emulator) -> None:
    woken(bounded, "listens")
    process = psutil.Process(bounded.process.pid)
    family = [process, *process.children(recursive=True)]
    listening = [c for p in family for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert listening
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}
    [instance] = bounded.instances("listens")
    published = docker.from_env().api.inspect_container(instance["container"])["NetworkSettings"]["Ports"]
    assert not any((published or {}).values())


def test_nothing_is_left_at_zero(bounded: Emulator, sdk: Any) -> None:
    woken(bounded, "leaves")
    [instance] = bounded.instances("leaves")
    assert sdk.networks.list(names=[instance["network"]])
    bounded.scale("leaves", manual(0))
    eventually(lambda: bounded.instances("leaves") == [])
    assert not sdk.containers.list(all=True, filters={"id": instance["container"]})
    assert not sdk.networks.list(names=[instance["network"]])


def test_memory_taken_by_a_child_ends_the_whole_instance(bounded: Emulator) -> None:
    """As on Cloud Run; the container's own first process may be well."""
    resources = run_v2.ResourceRequirements(limits={"memory": "128Mi", "cpu": "1"}, cpu_idle=True)
    uri = woken(bounded, "child-oom", resources=resources)
    client.get(f"{uri}/python", params={"code": "x = b'x' * (300 << 20)"})
    [end] = eventually(lambda: bounded.observed("child-oom")["exits"])
    assert "Memory limit of 128 MiB exceeded" in end["reason"]
    assert client.get(uri).status_code == 200


def test_output_without_end_keeps_its_newest(bounded: Emulator) -> None:
    """The disk is not filled, and why it ended can still be read."""
    uri = woken(bounded, "talkative")
    code = f"""
with open("/proc/1/fd/1", "w") as out:
    for _ in range({LOG_BYTES // MIB + 4}):
        print("x" * {MIB}, file=out)
    print("the last words", file=out)
"""
    assert run(uri, code)["code"] == 0
    eventually(lambda: "the last words" in bounded.log("talkative"))
    assert len(bounded.log("talkative")) <= LOG_BYTES


def test_a_crash_is_not_taken_for_a_limit(bounded: Emulator) -> None:
    uri = woken(bounded, "crashes")
    assert client.get(f"{uri}/leave?code=3").status_code == 503
    [end] = eventually(lambda: bounded.observed("crashes")["exits"])
    assert (end["code"], end["reason"]) == (3, "")


def test_an_unhealthy_container_is_reported_and_lives(bounded: Emulator) -> None:
    resources = run_v2.ResourceRequirements(cpu_idle=False)
    uri = woken(bounded, "sick", resources=resources)
    eventually(lambda: bounded.instances("sick")[0]["health"] == "healthy")
    run(uri, "open('/tmp/sick', 'w')")
    eventually(lambda: bounded.instances("sick")[0]["health"] == "unhealthy")
    assert client.get(uri).status_code == 200
    assert bounded.observed("sick")["exits"] == []


def test_a_container_removed_behind_our_back_is_replaced(bounded: Emulator, sdk: Any) -> None:
    uri = woken(bounded, "removed")
    [instance] = bounded.instances("removed")
    sdk.api.remove_container(instance["container"], force=True)
    eventually(lambda: bounded.observed("removed")["exits"])
    assert client.get(uri).status_code == 200


def test_the_templates_command_and_arguments_replace_the_images(bounded: Emulator) -> None:
    script = "import runpy, sys; print(sys.argv[1]); runpy.run_path('/app/container.py', run_name='__main__')"
    woken(bounded, "command", command=["python", "-uc"], args=[script, "called with an argument"])
    eventually(lambda: "called with an argument" in bounded.log("command"))


def test_a_command_that_cannot_run_is_named_and_leaves_nothing(bounded: Emulator, sdk: Any) -> None:
    service = a_service(containers=[a_container(command=["/no/such/program"])])
    service.scaling = automatic(0, 1)
    with pytest.raises(exceptions.GoogleAPICallError, match="No such file or directory"):
        bounded.create("nothing-to-run", service)
    eventually(lambda: bounded.instances("nothing-to-run") == [])
    label = "cloud-run-emulator.service=nothing-to-run"
    assert not sdk.containers.list(all=True, filters={"label": label})
    assert not sdk.networks.list(filters={"label": label})


def test_an_image_that_cannot_be_had_says_why(bounded: Emulator) -> None:
    """`registry.invalid` can never be reached."""
    service = a_service()
    service.template.containers[0].image = f"registry.invalid/x@{IMAGE.partition('@')[2]}"
    with pytest.raises(exceptions.GoogleAPICallError, match="registry could not be reached"):
        bounded.create("imageless", service)
    condition = bounded.get("imageless").terminal_condition
    assert condition.reason == run_v2.Condition.CommonReason.CONTAINER_MISSING


def test_two_emulators_leave_each_others_containers_alone(bounded: Emulator, tmp_path: Path) -> None:
    woken(bounded, "neighbour")
    [instance] = bounded.instances("neighbour")
    with running(tmp_path, "--grace", "1", runtime="docker") as another:
        woken(another, "neighbour")
        assert another.instances("neighbour")[0]["network"] != instance["network"]
    assert [i["id"] for i in bounded.instances("neighbour")] == [instance["id"]]
    assert json.loads(client.get(f"{bounded.url}/emulator/v1/runtime").text)["runtime"] == "docker"
