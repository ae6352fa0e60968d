"""Which locked packages does an image hold, and how do they come here? Fetched on this machine for another Python.

So an image is built without a network, and each file was checked against its hash. What was fetched once is kept.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import APIError, ContainerError

from tools.venv import ROOT, STATE, SetupFailed

AGENT = ROOT / "workstation" / "requirements.txt"
NODE = ROOT / "workstation" / "requirements-node.txt"
_FETCHED = STATE / "image-packages"
_OLDEST_GLIBC = 17
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_ASK = "import os, sys; print(*sys.version_info[:2], os.confstr('CS_GNU_LIBC_VERSION').rpartition('.')[2])"


@dataclass(frozen=True, slots=True)
class Machine:
    """What packages are for: a Python as "3.13", the second number of a glibc 2.x, an architecture as "x86_64"."""

    architecture: str
    python: str = "3.13"
    glibc: int = 28

    def platforms(self) -> list[str]:
        """The wheel platforms that run there, the newest first."""
        numbers = range(self.glibc, _OLDEST_GLIBC - 1, -1)
        return [f"manylinux_2_{number}_{self.architecture}" for number in numbers] + [
            f"manylinux2014_{self.architecture}"
        ]


def machine(engine: docker.DockerClient) -> Machine:
    """What the engine's containers run on; raises SetupFailed on an architecture that nothing is locked for."""
    architecture = engine.version()["Arch"]
    if architecture not in _MACHINES:
        raise SetupFailed(
            f"Images are built for {' and '.join(_MACHINES)}, and this engine is {architecture}."
        )
    return Machine(_MACHINES[architecture])


def machine_of(engine: docker.DockerClient, base: str) -> Machine:
    """What an image runs, as it says itself; raises SetupFailed when it has no Python that we can use."""
    try:
        command = ["-c", _ASK]
        said = engine.containers.run(base, command, entrypoint="python3", network_mode="none", remove=True)
    except (APIError, ContainerError) as failure:
        raise SetupFailed(f"{base} runs no python3 on glibc, which the agent needs: {failure}") from failure
    major, minor, glibc = map(int, said.split())
    if (major, minor) < (3, 11):
        raise SetupFailed(f"{base} has Python {major}.{minor}; the agent needs 3.11 or newer.")
    return Machine(machine(engine).architecture, f"{major}.{minor}", glibc)


def fetch(requirements: Path, target: Machine) -> Path:
    """A directory of exactly these packages, unpacked; raises SetupFailed with the installer's last words."""
    content = hashlib.sha256(requirements.read_bytes() + repr(target).encode()).hexdigest()[:16]
    whole = _FETCHED / f"{requirements.stem}-{content}"
    if whole.exists():
        return whole
    partial = whole.with_name(f"{whole.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = [*_installer(target), "--target", str(partial), "--require-hashes", "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise SetupFailed(f"The packages of {requirements.name} cannot be fetched:\n{said}")
    # Programs for this machine's Python.
    shutil.rmtree(partial / "bin", ignore_errors=True)
    partial.rename(whole)
    return whole


def _installer(target: Machine) -> list[str]:
    """pip, or uv where the environment was made by it and has no pip."""
    wanted = ["--no-deps", "--python-version", target.python]
    if importlib.util.find_spec("pip"):
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-compile",
            "--disable-pip-version-check",
        ]
        platforms = [word for name in target.platforms() for word in ("--platform", name)]
        return [*pip, *wanted, "--only-binary=:all:", *platforms]
    uv = shutil.which("uv")
    if uv is None:
        raise SetupFailed("Neither pip nor uv is here to fetch the images' packages: install uv.")
    platform = f"{target.architecture}-manylinux_2_{min(target.glibc, 40)}"
    return [uv, "pip", "install", "--quiet", *wanted, "--only-binary", ":all:", "--python-platform", platform]
