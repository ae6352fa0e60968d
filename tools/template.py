"""What do workstations run locally as processes, and under which digest is each template known?

A template is a copy of the agent in a directory named by the digest of everything that makes it: the agent,
its requirements, the version of Python. So the product's allow-list of digests means the same as with images,
and a changed agent is a new template. Templates with equal requirements share one virtual environment.
All of them are the same agent, which finds python on its path, and node where this machine has it.
"""

import hashlib
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.venv import ROOT, STATE, Environment, SetupFailed, ensure, locked

NAMES = ("python", "nodejs", "react")
"""The templates that there are, the default first."""
AGENT = ROOT / "workstation" / "agent"
REQUIREMENTS = ROOT / "workstation" / "requirements.txt"
TEMPLATES = STATE / "templates" / "python"
_KEPT = 2


@dataclass(frozen=True, slots=True)
class Template:
    """A built template: its name, its digest-pinned image and the command that starts its agent."""

    name: str
    image: str
    command: str


def repository(name: str) -> str:
    """What a template's images are called, here and as containers."""
    return f"dormouse-{name}"


def build(templates: Path = TEMPLATES) -> list[Template]:
    """Builds the templates when their digest is new, prunes all but the newest two, and returns those offered here.

    Raises SetupFailed when there is no agent or its environment cannot be made.
    """
    if not (AGENT / "__main__.py").exists():
        raise SetupFailed("workstation/agent has no __main__.py, and without the agent no template runs.")
    digest = content_digest(REQUIREMENTS, AGENT)
    environment = Environment(templates / "environments" / _digest(REQUIREMENTS)[:16], REQUIREMENTS)
    ensure(environment)
    library = templates / digest
    with locked(templates):
        _copy_agent(library / "agent")
        (library / "command").write_text(_command(library, environment))
        for newest in (library, environment.directory):
            os.utime(newest)
            _prune(newest.parent)
    return [template for template in known(templates) if template.image.endswith(digest)]


def known(templates: Path = TEMPLATES) -> list[Template]:
    """The built templates, newest first; services of the run before may still start from an older one."""
    directories = [path.parent for path in templates.glob("*/command")]
    return [
        Template(name, f"{repository(name)}@sha256:{directory.name}", (directory / "command").read_text())
        for directory in sorted(directories, key=_age)
        for name in _offered()
    ]


def content_digest(requirements: Path, agent: Path) -> str:
    """The sha256 over the requirements, every file of the agent and the version of Python."""
    whole = hashlib.sha256(f"python {sys.version_info[:3]}\0{_digest(requirements)}\0".encode())
    for path in sorted(agent.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            whole.update(f"{path.relative_to(agent)}\0{_digest(path)}\0".encode())
    return whole.hexdigest()


def _offered() -> tuple[str, ...]:
    return NAMES if shutil.which("node") else NAMES[:1]


def _command(library: Path, environment: Environment) -> str:
    # As in the image: the user's `python` is the one that the template brings.
    path = f"{environment.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    # Processes share this machine's ports: without their own, two workstations would reach each other's servers.
    network = ["DORMOUSE_BIND=127.0.0.1", "DORMOUSE_SHARED_NETWORK=true"]
    variables = [f"PATH={path}", f"PYTHONPATH={library}", *network]
    return shlex.join(["env", *variables, str(environment.python), "-m", "agent"])


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _copy_agent(target: Path) -> None:
    if target.exists():
        return
    partial = target.with_name("agent.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(AGENT, partial, ignore=shutil.ignore_patterns("__pycache__"))
    partial.rename(target)


def _prune(directory: Path) -> None:
    siblings = [path for path in directory.iterdir() if path.name != "environments"]
    for old in sorted(siblings, key=_age)[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def _age(path: Path) -> float:
    return -path.stat().st_mtime


def main() -> int:
    """Builds the templates and says what they are called; 1, and why, when they cannot be built."""
    try:
        for template in build():
            print(template.image)
    except SetupFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
