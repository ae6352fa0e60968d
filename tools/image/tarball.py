"""How do files get into an image so that equal content gives equal bytes? Owner, times and order are fixed."""

import tarfile
from pathlib import Path
from types import TracebackType
from typing import IO, Self

_LEFT_OUT = "__pycache__"


class Tarball:
    """A tar file in the making: everything in it is root's, and only root's to write."""

    def __init__(self, file: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w")  # noqa: SIM115 - closed on exit

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tar.close()

    def add(self, source: Path, target: str) -> None:
        """Adds a file or a directory with all that is in it but bytecode, which is for another Python."""
        if source.name == _LEFT_OUT:
            return
        self._tar.add(source, target, recursive=False, filter=_plain)
        if source.is_dir() and not source.is_symlink():
            for child in sorted(source.iterdir()):
                self.add(child, f"{target}/{child.name}")


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = "root"
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member
