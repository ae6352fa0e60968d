"""What do the calls `load` and `save` ask for, and how are their outcomes told?"""

import re
from typing import TYPE_CHECKING, Any

from agent.backup.failures import WorkspaceError
from agent.errors import AgentError
from agent.fields import Fields
from agent.workspace.grants import Backup, Grant

if TYPE_CHECKING:
    from agent.workspace.workspace import Outcome

SHA256 = re.compile(r"[0-9a-fA-F]{64}")
SHOWN = 20


def read_backup(fields: Fields) -> Backup | None:
    """Return the backup to load, None for an empty workspace; bad fields are noted in `fields`."""
    value = fields.take("backup")
    if value is None:
        return None
    grant = _grant(fields, "backup", value)
    sha256, size = (value.get("sha256"), value.get("size")) if isinstance(value, dict) else (None, None)
    if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
        fields.refuse("backup.sha256", "must be 64 hexadecimal digits")
    if type(size) is not int or size < 0:
        fields.refuse("backup.size", "must be a number of bytes")
    return None if grant is None else Backup(grant, str(sha256), size if type(size) is int else 0)


def read_upload(fields: Fields) -> tuple[Grant | None, str | None]:
    """Return where to save to, and the sha256 of the backup that is on record; bad fields are noted in `fields`."""
    known = fields.text("known")
    if known is not None and not SHA256.fullmatch(known):
        fields.refuse("known", "must be 64 hexadecimal digits, or null")
    return _grant(fields, "upload", fields.take("upload")), known


def encode_outcome(outcome: "Outcome") -> dict[str, Any]:
    """Return the JSON form of a save."""
    saved = outcome.saved
    return {
        "state": "SAVED",
        "sha256": saved.sha256,
        "size": saved.size,
        "files": saved.files,
        "unchanged": outcome.unchanged,
        "changedWhileSaving": list(saved.changed[:SHOWN]),
        "skipped": list(saved.skipped[:SHOWN]),
    }


def explain_failure(error: WorkspaceError | OSError, what: str) -> AgentError:
    """Return the answer for a load or save that failed."""
    reason = getattr(error, "reason", WorkspaceError.reason)
    why = str(error)
    if isinstance(error, OSError):
        why = error.strerror or why
    message = f"the workspace could not be {what}: {why}"
    code = 503 if getattr(error, "temporary", False) else 409
    headers = {"Retry-After": "5"} if code == 503 else None
    return AgentError(code, message, [{"reason": reason}], headers, extra={"reason": message})


def _grant(fields: Fields, name: str, value: Any) -> Grant | None:
    if not isinstance(value, dict):
        fields.refuse(name, "must be an object with url and headers")
        return None
    url, headers = value.get("url"), value.get("headers") or {}
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        fields.refuse(f"{name}.url", "must be an http or https URL")
    if not isinstance(headers, dict) or not all(isinstance(text, str) for text in headers.values()):
        fields.refuse(f"{name}.headers", "must be an object of strings")
        return None
    return Grant(str(url), headers)
