"""How long is the output of instances kept? The newest files of each service, so that a crash loop fills no disk."""

from __future__ import annotations

from pathlib import Path

KEPT = 50


def prune(directory: Path) -> None:
    """Remove all but the newest logs of a directory."""
    newest = sorted(directory.glob("*.log"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in newest[KEPT:]:
        file.unlink(missing_ok=True)
