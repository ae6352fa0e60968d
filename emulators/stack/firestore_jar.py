"""Where is the jar of Google's Firestore emulator: in a Cloud SDK, in a cache, or downloaded and checked?

Never runs a download whose length or sha256 differs from the pinned one.
"""

import hashlib
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.venv import STATE, locked

MAIN_CLASS = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
_IN_SDK = Path("platform/cloud-firestore-emulator/cloud-firestore-emulator.jar")
_SDKS = (
    "~/google-cloud-sdk",
    "/usr/lib/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/usr/local/share/google-cloud-sdk",
    "/opt/homebrew/share/google-cloud-sdk",
    "/snap/google-cloud-cli/current",
)


@dataclass(frozen=True, slots=True)
class Release:
    """One published jar, exactly."""

    url: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


PINNED = Release(
    "https://storage.googleapis.com/firebase-preview-drop/emulator/cloud-firestore-emulator-v1.22.0.jar",
    "9b6498b7f62714d67f48f59b3818883cd682dbcd46b9f59511de81c97bb5166c",
    136_707_194,
)


class NoFirestore(Exception):
    """The emulator's jar cannot be had, and what to install."""


def find_or_download(say: Callable[[str], None]) -> Path:
    """The first jar found, else the pinned download; raises NoFirestore."""
    jar = find()
    if jar is not None:
        return jar
    say(f"No Firestore emulator is installed; downloading {PINNED.name} ({PINNED.size >> 20} MiB, once) ...")
    try:
        return download(PINNED, STATE / "downloads")
    except (OSError, ValueError) as failure:
        raise NoFirestore(
            f"No Firestore emulator: no Cloud SDK has the component, firebase-tools has cached none, and "
            f"the download failed ({failure}).\nInstall one of: gcloud components install "
            f"cloud-firestore-emulator; apt-get install google-cloud-cli-firestore-emulator; "
            f"npx firebase-tools setup:emulators:firestore."
        ) from failure


def find() -> Path | None:
    """The jar of a Cloud SDK, of firebase-tools, or of an earlier download; None when there is none."""
    return next((jar for jar in _candidates() if jar.is_file()), None)


def download(release: Release, directory: Path) -> Path:
    """Downloads the release unless it is there; raises OSError, or ValueError when it is another one."""
    target = directory / release.name
    with locked(directory):
        if target.exists():
            return target
        partial = target.with_suffix(".partial")
        digest = hashlib.sha256()
        with urllib.request.urlopen(release.url, timeout=60) as answer, partial.open("wb") as file:  # noqa: S310
            while chunk := answer.read(1 << 20):
                digest.update(chunk)
                file.write(chunk)
        if partial.stat().st_size != release.size or digest.hexdigest() != release.sha256:
            partial.unlink()
            raise ValueError(f"{release.name} has another sha256 than the pinned one")
        partial.rename(target)
    return target


def _candidates() -> Iterator[Path]:
    if root := os.environ.get("CLOUDSDK_ROOT_DIR"):
        yield Path(root) / _IN_SDK
    for sdk in _SDKS:
        yield Path(sdk).expanduser() / _IN_SDK
    if gcloud := shutil.which("gcloud"):
        yield Path(gcloud).resolve().parent.parent / _IN_SDK
    cached = Path("~/.cache/firebase/emulators").expanduser()
    yield from sorted(cached.glob("cloud-firestore-emulator-v*.jar"), reverse=True)
    yield STATE / "downloads" / PINNED.name
    if gcloud:
        yield _sdk_of(gcloud) / _IN_SDK


def _sdk_of(gcloud: str) -> Path:
    """Asks gcloud itself, last, because that takes a second."""
    command = [gcloud, "info", "--format=value(installation.sdk_root)"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    return Path(said.strip() or "/nonexistent")
