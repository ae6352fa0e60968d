"""Is a template's image what its sources say, and if not, how is it built? Sources and bases together are its revision.

dormouse-python@sha256:ID     how the local stack names an image: by the engine's id, as no registry gave a digest
"""

import hashlib
import tempfile
import time
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import docker
from docker.errors import APIError, BuildError, ImageNotFound

from tools.image import bases
from tools.image.bases import Base
from tools.image.packages import AGENT as REQUIREMENTS
from tools.image.packages import fetch, machine_of
from tools.image.tarball import Tarball
from tools.template import AGENT, NAMES, repository
from tools.venv import ROOT, STATE, SetupFailed, locked

_DOCKERFILE = ROOT / "workstation" / "Dockerfile"
_BESIDE_AGENT = ROOT / "workstation" / "image"
_TITLE = "org.opencontainers.image.title"
_REVISION = "org.opencontainers.image.revision"
_PATIENCE_SECONDS = 600
_KEPT = 2


@dataclass(frozen=True, slots=True)
class Built:
    """An image that is there: how to name it, its bytes, what it starts from, and the seconds that it took."""

    template: str
    reference: str
    size: int
    bases: tuple[Base, ...]
    seconds: float = 0
    is_new: bool = False


def engine() -> docker.DockerClient:
    """The container engine of this machine's settings."""
    return docker.from_env(timeout=_PATIENCE_SECONDS)


def build(template: str, given: Mapping[str, str] | None = None) -> Built:
    """Builds the image unless it is there in this revision; `given` names other bases, by "python" and "node".

    Raises SetupFailed with what went wrong and what to do.
    """
    started = time.monotonic()
    with locked(STATE / "images"):
        client = engine()
        used = tuple(bases.find(client, role, given or {}) for role in _roles(template))
        revision = _revision(template, used)
        image = _tagged(client, template)
        is_new = image is None or image.labels.get(_REVISION) != revision
        if image is None or is_new:
            image = _build(client, template, used, revision)
            _prune(client, template)
    seconds = time.monotonic() - started
    return Built(template, _reference(template, image), image.attrs["Size"], used, seconds, is_new)


def built() -> list[tuple[str, str]]:
    """The templates whose images are there, python first, each with the reference that services name it by."""
    client = engine()
    images = ((template, _tagged(client, template)) for template in NAMES)
    return [(template, _reference(template, image)) for template, image in images if image is not None]


def _roles(template: str) -> tuple[str, ...]:
    return ("python",) if template == "python" else ("python", "node")


def _tagged(client: docker.DockerClient, template: str) -> Any:
    try:
        return client.images.get(f"{repository(template)}:latest")
    except ImageNotFound:
        return None


def _reference(template: str, image: Any) -> str:
    return f"{repository(template)}@{image.id}"


def _revision(template: str, used: Iterable[Base]) -> str:
    whole = hashlib.sha256(f"{template} {[base.id for base in used]} {_version()}".encode())
    for source in (_DOCKERFILE, REQUIREMENTS, *_files(_BESIDE_AGENT), *_files(AGENT)):
        content = hashlib.sha256(source.read_bytes()).hexdigest()
        whole.update(f"{source.relative_to(ROOT)}\0{content}\0".encode())
    return whole.hexdigest()


def _files(directory: Path) -> list[Path]:
    return [path for path in sorted(directory.rglob("*.py")) if "__pycache__" not in path.parts]


def _version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def _build(client: docker.DockerClient, template: str, used: tuple[Base, ...], revision: str) -> Any:
    packages = fetch(REQUIREMENTS, machine_of(client, used[0].name))
    names = [base.name for base in used]
    with tempfile.TemporaryFile() as context:
        _lay_out(context, packages)
        try:
            image, _ = client.images.build(
                fileobj=context,
                custom_context=True,
                target=template,
                tag=f"{repository(template)}:latest",
                buildargs=dict(zip(("BASE", "NODE"), names, strict=False)),
                labels=_labels(template, used[0], revision),
                network_mode="none",
                forcerm=True,
            )
        except (BuildError, APIError) as failure:
            raise SetupFailed(_last_words(template, names, failure)) from failure
    return image


def _lay_out(context: IO[bytes], packages: Path) -> None:
    """The build's whole input."""
    with Tarball(context) as tarball:
        tarball.add(_DOCKERFILE, "Dockerfile")
        tarball.add(AGENT, "dormouse/agent")
        for directory in (_BESIDE_AGENT, packages):
            for child in sorted(directory.iterdir()):
                tarball.add(child, f"dormouse/{child.name}")
    context.seek(0)


def _labels(template: str, base: Base, revision: str) -> dict[str, str]:
    return {
        _TITLE: repository(template),
        "org.opencontainers.image.description": f"A Dormouse workstation of the template {template}.",
        "org.opencontainers.image.version": _version(),
        _REVISION: revision,
        "org.opencontainers.image.base.name": base.name,
        "org.opencontainers.image.base.digest": base.id,
    }


def _last_words(template: str, names: list[str], failure: BuildError | APIError) -> str:
    log = getattr(failure, "build_log", ())
    said = "".join(line.get("stream", "") for line in log).strip().splitlines()[-12:]
    return "\n".join([f"{repository(template)} cannot be built from {', '.join(names)}: {failure}", *said])


def _prune(client: docker.DockerClient, template: str) -> None:
    """Services of the run before may still start from the image before; those before that only fill the disk."""
    images = client.images.list(filters={"label": f"{_TITLE}={repository(template)}"})
    for old in sorted(images, key=lambda image: str(image.attrs["Created"]), reverse=True)[_KEPT:]:
        # One that a container runs from, or another image, stays.
        with suppress(APIError):
            client.images.remove(old.id)
