"""Style, types, layers, module length and requirements: everything that needs no running program, each with its time.

./dev check
"""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tools.venv import ROOT


@dataclass(frozen=True, slots=True)
class Check:
    """One tool and how it is called."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one check ended, and what it said."""

    name: str
    passed: bool
    seconds: float
    said: str


def checks() -> list[Check]:
    """All checks, the quick ones first."""
    scripts = Path(sys.executable).parent
    ruff = str(scripts / "ruff")
    return [
        # Where a module is new, a cached verdict on who imports it is an old one.
        Check("ruff check", (ruff, "check", "--no-cache", ".")),
        Check("ruff format", (ruff, "format", "--check", ".")),
        Check("modules", (sys.executable, "-m", "tools.modules")),
        Check("requirements", (sys.executable, "-m", "tools.requirements")),
        Check("conformance", (sys.executable, "-m", "tools.conformance")),
        Check("import-linter", (str(scripts / "lint-imports"),)),
        Check("mypy", (str(scripts / "mypy"),)),
    ]


def run(check: Check) -> Outcome:
    """Runs one check to its end."""
    started = time.monotonic()
    done = subprocess.run(check.command, cwd=ROOT, text=True, capture_output=True)
    said = (done.stdout + done.stderr).strip()
    return Outcome(check.name, done.returncode == 0, time.monotonic() - started, said)


def main() -> int:
    """Runs every check, also after one failed; 1 when any did."""
    failed = []
    for check in checks():
        outcome = run(check)
        print(
            f"{'ok' if outcome.passed else 'FAILED':6}  {outcome.seconds:5.1f} s  {outcome.name}", flush=True
        )
        if not outcome.passed:
            failed.append(outcome.name)
            print(outcome.said, flush=True)
    if failed:
        print(f"Failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
