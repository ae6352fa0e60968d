"""What is a whole run made of, in which order, and how long may each part take?"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulators.cloud_run.runtime.docker.engine import why_unusable
from tools.venv import ROOT

TESTS = ROOT / "tests"
# What is in no other group belongs to the first, so that no test can be forgotten here.
GROUPS: Mapping[str, frozenset[str]] = {
    "unit and contract": frozenset(),
    "emulators": frozenset({"emulators"}),
    "conformance": frozenset({"conformance"}),
    "agent": frozenset({"agent"}),
    "functions": frozenset({"functions"}),
    "tools": frozenset({"tools"}),
    "whole clouds": frozenset({"stack", "journeys", "demo", "docs", "proof"}),
}
_BUDGETS = {"emulators": 1200, "conformance": 900, "whole clouds": 1800}
# Whole clouds on two cores: side by side they would measure each other.
_ALONE = frozenset({"whole clouds"})
_ON_DOCKER = ("journeys", "demo")
_SEED = "1"


@dataclass(frozen=True, slots=True)
class Part:
    """One step of the run: the tests at `paths`, or else a program that fails by its exit code.

    A program is the name of a module, and its arguments. A part is stopped, and has failed, when it takes longer than
    its budget in seconds. `missing` says why it cannot run.
    """

    name: str
    budget: float
    program: Sequence[str] = ()
    paths: Sequence[str] = ()
    workers: int = 2
    runtime: str = "process"
    missing: str = ""


def everything() -> list[Part]:
    """The parts of a whole run, the quick ones first."""
    without = why_unusable(with_doors=True)
    return [
        Part("check", 120, ("tools.check",)),
        Part("template", 300, ("tools.template",)),
        Part("images", 600, ("tools.image",), missing=without),
        *(_group(name, paths) for name, paths in directories(TESTS).items()),
        _on_docker(without),
        _kills("process", rounds=20 if in_ci() else 3),
        _kills("docker", rounds=10 if in_ci() else 2, missing=without),
    ]


def in_ci() -> bool:
    """Whether nothing may be left out."""
    return os.environ.get("CI") == "true"


def directories(tests: Path) -> dict[str, list[Path]]:
    """The test directories, and modules beside them, of each group; groups without one are left out."""
    present = sorted({tests / module.relative_to(tests).parts[0] for module in tests.rglob("test_*.py")})
    claimed = frozenset[str]().union(*GROUPS.values())
    chosen = {
        group: [path for path in present if path.name in names or (not names and path.name not in claimed)]
        for group, names in GROUPS.items()
    }
    return {group: paths for group, paths in chosen.items() if paths}


def _group(name: str, paths: Sequence[Path]) -> Part:
    workers = 0 if name in _ALONE else 2
    relative = [str(path.relative_to(ROOT)) for path in paths]
    return Part(name, _BUDGETS.get(name, 300), paths=relative, workers=workers)


def _on_docker(missing: str) -> Part:
    paths = [f"tests/{name}" for name in _ON_DOCKER]
    return Part("whole clouds on Docker", 1800, paths=paths, workers=0, runtime="docker", missing=missing)


def _kills(runtime: str, rounds: int, missing: str = "") -> Part:
    program = ("proof", "--rounds", str(rounds), "--seed", _SEED, "--runtime", runtime)
    return Part(f"{rounds} kills, {runtime}", 600, program, missing=missing)
