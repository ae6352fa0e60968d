"""What does a user not want to be kept? What `.dormouseignore` at the top of the workspace names, as git would read it.

Without that file nothing is left out. The line `@caches` stands for caches that tools make again by themselves.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from agent.backup.walk import LeavesOut
from agent.files.beneath import ROOT, LinkRefusedError, open_file

if TYPE_CHECKING:
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

NAME = b".dormouseignore"
LARGEST = 256 * 1024
_STARS = re.compile(r"\*+")
MOST_STARS = 3
"""A name can be matched with many stars in so many ways that a save would not end."""
CACHES = "@caches"
CACHE_PATTERNS = (
    "node_modules/",
    "**/.next/cache/",
    "**/.angular/cache/",
    ".parcel-cache/",
    ".svelte-kit/",
    ".turbo/",
    ".npm/",
    ".pnpm-store/",
    ".venv/",
    "__pycache__/",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    ".tox/",
    ".nox/",
    ".cache/",
    ".gradle/",
    ".dart_tool/",
    "**/.terraform/providers/",
    "**/target/debug/",
    "**/target/release/",
    "**/target/classes/",
    "**/target/test-classes/",
)
"""Only what a build or an install makes again. `dist`, `build`, `vendor` and all of `target` may be somebody's work."""

_ANYWHERE = "^(?:.+/)?"
_NEVER = r"(?!)"


def read_rules(root: Path) -> tuple[LeavesOut | None, list[tuple[bytes, str]]]:
    """Return what to leave out, None for nothing, and (the file's path, why) for each line that is no pattern."""
    try:
        lines = _read(root)
    except FileNotFoundError:
        return None, []
    except (OSError, LinkRefusedError) as error:
        return None, [(NAME, f"it is not followed: {error}")]
    patterns: list[GitIgnoreSpecPattern] = []
    refused = []
    for number, line in enumerate(lines, 1):
        try:
            patterns += _patterns(line)
        except ValueError as error:
            refused.append((NAME, f"line {number} is not followed: {error}"))
    return (_Rules(patterns).leave_out if patterns else None), refused


def _read(root: Path) -> list[str]:
    directory = os.open(root, ROOT)
    try:
        descriptor = open_file(directory, NAME, os.O_RDONLY | os.O_NONBLOCK)
    finally:
        os.close(directory)
    try:
        content = os.read(descriptor, LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(content) > LARGEST:
        raise OSError(f"it is larger than {LARGEST // 1024} KiB")
    return [line.removesuffix("\r") for line in os.fsdecode(content).removeprefix("\ufeff").split("\n")]


def _patterns(line: str) -> "list[GitIgnoreSpecPattern]":
    """Return the patterns that a line stands for, none for a comment; raises ValueError for one that is no pattern."""
    # Only here, because most workspaces have no such file, and a wake should not pay for it.
    from pathspec import GitIgnoreSpec  # noqa: PLC0415

    plain = line.strip()
    if not plain or line.startswith("#"):
        return []
    if plain == CACHES:
        return list(GitIgnoreSpec.from_lines(CACHE_PATTERNS).patterns)
    if len(_STARS.findall(line)) > MOST_STARS:
        raise ValueError(f"it has stars in more than {MOST_STARS} places")
    try:
        [pattern] = GitIgnoreSpec.from_lines([_exact(line)]).patterns
    except re.error as error:
        raise ValueError(f"it is no pattern: {plain[:80]}") from error
    if pattern.regex is None:  # git makes nothing of it
        raise ValueError(f"it is no pattern: {plain[:80]}")
    return [pattern]


def _exact(line: str) -> str:
    """Return the line in words for which the library asks about the whole path, not about any part of it."""
    line = re.sub(r"^(!?)(?:\*\*/)*\*+(/?)\s*$", r"\1?*\2", line)
    return re.sub(r"/\*\*(/?)\s*$", r"/**/?*\1", line)


class _Rules:
    """Patterns, of which the last that fits decides; nearly every path is passed by two searches."""

    def __init__(self, patterns: "list[GitIgnoreSpecPattern]") -> None:
        self._rules: list[tuple[re.Pattern[str], bool]] = []
        names: list[str] = []
        paths: list[str] = []
        for pattern in patterns:
            # A group may have a name once only.
            text = pattern.regex.pattern.replace("(?P<ps_d>", "(?:") if pattern.regex else _NEVER
            self._rules.append((_compiled(text), bool(pattern.include)))
            if pattern.include:
                of_names = text.startswith(_ANYWHERE) and "/" not in str(pattern.pattern).strip().rstrip("/")
                (names if of_names else paths).append(text.removeprefix(_ANYWHERE) if of_names else text)
        self._names = _compiled("|".join(names) or _NEVER)
        self._paths = _compiled("|".join(paths) or _NEVER)

    def leave_out(self, path: bytes, is_directory: bool) -> bool:
        """Tell whether a path is left out, given that the directory it is in is not.

        That is asked of each level by itself, so a pattern has to fit the whole path, and not a directory above.
        """
        if path == NAME:
            return False
        text = os.fsdecode(path) + "/" * is_directory
        name = text[text.rfind("/", 0, -1) + 1 :]
        # Asking every pattern takes ten times as long as a look at the file does.
        if not (self._names.fullmatch(name) or self._paths.fullmatch(text)):
            return False
        return (
            next((include for regex, include in reversed(self._rules) if regex.fullmatch(text)), False)
            is True
        )


def _compiled(text: str) -> re.Pattern[str]:
    return re.compile(text, re.DOTALL)  # a name may hold a newline
