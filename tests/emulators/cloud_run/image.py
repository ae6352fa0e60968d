"""The test container as an image: this machine's own Python and the few packages that the container imports.

No registry is asked. The image is imported once and found again by a hash of what it is made of.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import re
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import docker

PROGRAM = Path(__file__).with_name("container.py")
_REPOSITORY = "dormouse-cloud-run-tests"
_DISTRIBUTIONS = ("uvicorn", "starlette", "anyio", "idna", "click", "h11", "websockets", "typing_extensions")
_PROGRAMS = ("/bin/sh", "/usr/bin/setsid")
_LEFT_OUT = {"test", "tests", "site-packages", "idlelib", "tkinter", "ensurepip", "lib2to3"}
_LIBRARY = re.compile(r"(/\S+) \(0x")
_HEALTH = "test ! -e /tmp/sick"


def test_image(client: docker.DockerClient) -> str:
    """The id (`sha256:...`) of the image, which is imported if the engine has none of this content."""
    tag = f"{_REPOSITORY}:{_content_hash()}"
    if not client.images.list(name=tag):
        _import(client, tag)
    return client.images.get(tag).id


def _import(client: docker.DockerClient, tag: str) -> None:
    changes = [
        "ENV PATH=/usr/bin:/bin",
        "ENV LANG=C.UTF-8",
        f"ENV LD_LIBRARY_PATH={Path(sys.base_prefix) / 'lib'}",
        "ENV PYTHONPATH=/app/packages",
        "WORKDIR /app",
        f"HEALTHCHECK --interval=1s --retries=1 CMD {_HEALTH}",
        'CMD ["python", "/app/container.py"]',
    ]
    repository, _, version = tag.partition(":")
    client.api.import_image_from_data(_archive(), repository=repository, tag=version, changes=changes)


def _content_hash() -> str:
    digest = hashlib.sha256(sys.version.encode() + PROGRAM.read_bytes() + Path(__file__).read_bytes())
    for name in _DISTRIBUTIONS:
        digest.update(f"{name} {importlib.metadata.version(name)}".encode())
    return digest.hexdigest()[:16]


def _archive() -> bytes:
    files = dict(_python() | _packages() | {Path("app/container.py"): PROGRAM})
    for program in map(Path, _PROGRAMS):
        files[program.relative_to("/")] = program
    binaries = [source for source in files.values() if ".so" in source.name or source.parent.name == "bin"]
    files |= {library.relative_to("/"): library for library in _libraries(binaries)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as archive:
        for target, source in sorted(files.items()):
            archive.add(source, arcname=str(target), recursive=False)
        _link(archive, "usr/bin/python", Path(sys.base_prefix) / "bin" / _python_name())
    return buffer.getvalue()


def _python_name() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def _python() -> dict[Path, Path]:
    prefix = Path(sys.base_prefix)
    found = {(prefix / "bin" / _python_name()).relative_to("/"): prefix / "bin" / _python_name()}
    library = Path(sysconfig.get_path("stdlib"))
    for file in library.rglob("*"):
        if file.is_file() and file.suffix != ".a" and not _LEFT_OUT & set(file.relative_to(library).parts):
            found[file.relative_to("/")] = file
    return found


def _packages() -> dict[Path, Path]:
    found = {}
    for name in _DISTRIBUTIONS:
        for file in importlib.metadata.files(name) or ():
            if ".." not in file.parts:
                found[Path("app/packages") / file] = Path(str(file.locate()))
    return found


def _libraries(binaries: list[Path]) -> set[Path]:
    """What the loader adds, and what old wheels name although the C library holds it all by now."""
    listing = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True).stdout
    found = {Path(path) for path in _LIBRARY.findall(listing)}
    folder = next(path.parent for path in found if path.name.startswith("libc.so"))
    extra = (
        "librt.so.1",
        "libpthread.so.0",
        "libdl.so.2",
        "libutil.so.1",
        "libnss_files.so.2",
        "libgcc_s.so.1",
    )
    return found | {folder / name for name in extra if (folder / name).exists()}


def _link(archive: tarfile.TarFile, name: str, target: Path) -> None:
    link = tarfile.TarInfo(name)
    link.type = tarfile.SYMTYPE
    link.linkname = str(target)
    archive.addfile(link)
