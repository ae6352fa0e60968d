"""What does a request to run a command ask for? Checks every field before anything starts."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.fields import Fields

LONGEST_TIMEOUT = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Command:
    """A command that can be started."""

    arguments: tuple[str, ...]
    cwd: str
    environment: Mapping[str, str]
    timeout: float | None
    stdin: bytes | None

    @property
    def name(self) -> str:
        """Return the program's short name, for a person."""
        return os.path.basename(self.arguments[0])


def read_command(fields: Fields, workspace: Path, inherited: Mapping[str, str]) -> Command:
    """Return the command; raises a 400 that names every bad field."""
    timeout = fields.number("timeoutSeconds")
    if timeout is not None and timeout > LONGEST_TIMEOUT:
        fields.refuse("timeoutSeconds", "must not be longer than a week")
    stdin = fields.text("stdin")
    if stdin is not None and not _encodable(stdin):
        fields.refuse("stdin", "must be text that UTF-8 can hold")
    environment = _environment(fields, inherited)
    cwd = _directory(fields, workspace)
    arguments = _arguments(fields, environment, cwd)
    fields.close()
    data = None if stdin is None else stdin.encode()
    return Command(tuple(arguments), cwd, environment, timeout, data)


def shell(environment: Mapping[str, str]) -> str:
    """Return the best shell of this image."""
    return shutil.which("bash", path=environment.get("PATH")) or "/bin/sh"


def _arguments(fields: Fields, environment: Mapping[str, str], cwd: str) -> list[str]:
    command = fields.take("command")
    if isinstance(command, str) and command and _passable(command):
        return [shell(environment), "-c", command]
    if not isinstance(command, list) or not command or not all(_passable(part) for part in command):
        fields.refuse("command", "must be a shell command or a list of arguments, not empty, without NUL")
        return []
    program = os.path.join(cwd, command[0]) if "/" in command[0] else command[0]
    if shutil.which(program, path=environment.get("PATH")) is None:
        fields.refuse("command", f"there is no program {command[0]!r} on the PATH")
    return list(command)


def _environment(fields: Fields, inherited: Mapping[str, str]) -> Mapping[str, str]:
    added = fields.take("env") or {}
    if not isinstance(added, dict):
        fields.refuse("env", "must be an object of names and strings")
        return inherited
    for name, value in added.items():
        if not name or "=" in name or not _passable(name) or not _passable(value):
            fields.refuse(f"env.{name}", "must be a variable's name with a string, without NUL")
    return {**inherited, **added}


def _directory(fields: Fields, workspace: Path) -> str:
    name = fields.text("cwd", ".") or "."
    if not _passable(name):
        fields.refuse("cwd", "must be a path without NUL")
        return str(workspace)
    path = os.path.join(workspace, name)
    if not os.path.isdir(path):
        fields.refuse("cwd", f"there is no directory {name!r} in the workspace")
    return path


def _passable(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value and _encodable(value)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
