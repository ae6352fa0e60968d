"""Is a virtual environment exactly what a hashed requirements file asks for, and if not, how is it made so?

Uses the standard library alone, because it runs before anything is installed. It never repairs in place what
it cannot trust: an environment without its stamp is half an environment and is built again.

    python tools/venv.py               the project's .venv, from requirements-dev.txt
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".dormouse"
STAMP = "dormouse-stamp"


class SetupFailed(Exception):
    """What could not be set up, why, and what to do next."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment and the requirements file that it must hold, no more and no less."""

    directory: Path
    requirements: Path
    from_lock: bool = False

    @property
    def python(self) -> Path:
        return self.directory / "bin" / "python"

    def is_current(self) -> bool:
        """Whether the stamp names these requirements and this Python, and the interpreter is still there."""
        stamp = self.directory / STAMP
        return self.python.exists() and stamp.exists() and stamp.read_text() == self.fingerprint()

    def fingerprint(self) -> str:
        digest = hashlib.sha256(self.requirements.read_bytes()).hexdigest()
        return f"{digest} python {'.'.join(map(str, sys.version_info[:3]))}\n"

    def seal(self) -> None:
        """Writes the stamp; the last step, so that an interrupted build is never taken for a whole one."""
        (self.directory / STAMP).write_text(self.fingerprint())


def ensure(environment: Environment) -> bool:
    """Brings the environment to its requirements; true when there was something to do.

    Safe to call from several processes at once: one builds, the others wait for it.
    Raises SetupFailed with the installer's last words.
    """
    if environment.is_current():
        return False
    with locked(environment.directory.parent):
        if environment.is_current():
            return False
        _build(environment)
        environment.seal()
    return True


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds a directory for one process at a time; the system lets go of it when that ends, however it ends."""
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _build(environment: Environment) -> None:
    uv = shutil.which("uv")
    (environment.directory / STAMP).unlink(missing_ok=True)
    if uv and environment.from_lock:
        # uv keeps what is right in an existing environment; without an interpreter there is nothing to keep.
        if not environment.python.exists():
            shutil.rmtree(environment.directory, ignore_errors=True)
        try:
            _run([uv, "sync", "--frozen", "--quiet", "--python", _base_python()], environment)
        except SetupFailed as failure:
            # An older uv may not read this lock; the exported requirements say the same.
            print(f"{failure}\nTrying the requirements file instead of uv.lock.", file=sys.stderr)
        else:
            return
    shutil.rmtree(environment.directory, ignore_errors=True)
    if uv:
        _run([uv, "venv", "--quiet", "--python", _base_python(), str(environment.directory)], environment)
        target = ["--python", str(environment.python)]
        install = [uv, "pip", "install", "--quiet", *target, "--require-hashes"]
    else:
        _run([_base_python(), "-m", "venv", str(environment.directory)], environment)
        install = [str(environment.python), "-m", "pip", "install", "--quiet", "--require-hashes"]
        install.append("--disable-pip-version-check")
    _run([*install, "-r", str(environment.requirements)], environment)


def _base_python() -> str:
    """The interpreter outside any virtual environment, so that an environment can replace itself."""
    return str(getattr(sys, "_base_executable", sys.executable))


def _run(command: list[str], environment: Environment) -> None:
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    variables |= {
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_COMPILE_BYTECODE": "1",
        "UV_PROJECT_ENVIRONMENT": str(environment.directory),
    }
    variables.pop("VIRTUAL_ENV", None)
    outcome = subprocess.run(command, env=variables, cwd=ROOT, text=True, capture_output=True)
    if outcome.returncode == 0:
        return
    said = "\n".join((outcome.stdout + outcome.stderr).strip().splitlines()[-12:])
    raise SetupFailed(
        f"{environment.directory} could not be made from {environment.requirements.name}.\n"
        f"{' '.join(command[:4])} ... said:\n{said}\n{_advice(said)}"
    )


def _advice(said: str) -> str:
    if "ensurepip" in said:
        return "This Python cannot make virtual environments: install uv, or python3-venv (Debian, Ubuntu)."
    return "Check the network and your package index's settings for pip or uv, then run the command again."


def main() -> int:
    """Sets up the project's own environment and says how long it took; silent when it was there already."""
    environment = Environment(ROOT / ".venv", ROOT / "requirements-dev.txt", from_lock=True)
    if environment.is_current():
        return 0
    print("Setting up .venv (once, about a minute) ...", file=sys.stderr, flush=True)
    started = time.monotonic()
    try:
        ensure(environment)
    except SetupFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    print(f"Set up .venv in {time.monotonic() - started:.0f} s.", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
