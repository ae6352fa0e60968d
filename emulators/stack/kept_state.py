"""What is kept between two runs, and may the next run trust it?

Records and services must agree. Firestore's records survive only by an export at the end of a run; where that did
not happen (a power cut, a kill -9), the services and buckets that the lost records described go with them.
"""

import http.client
import json
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emulators.stack.component import StackError
from emulators.stack.options import PROJECT

_KEPT_ALWAYS = frozenset({"identity", "page-token-key", "lock"})
_EXPORT = "export"


@dataclass(frozen=True, slots=True)
class KeptState:
    """The directory of one local cloud."""

    directory: Path

    @property
    def export(self) -> Path:
        """What Firestore reads at its start."""
        return self._firestore / _EXPORT / f"{_EXPORT}.overall_export_metadata"

    def open(self, say: Callable[[str], None], ephemeral: bool) -> Path | None:
        """Prepares the directory for a run; the export to import, or None for an empty Firestore."""
        self._firestore.mkdir(parents=True, exist_ok=True)
        trusted = self._whole.exists() and self.export.exists() and not ephemeral
        if not trusted:
            had_some = self._forget()
            if had_some and not ephemeral:
                say(
                    "The last run ended without saving Firestore, so its workstations and files are gone too."
                )
            self._firestore.mkdir(parents=True, exist_ok=True)
        return self.export if trusted else None

    def begin(self) -> None:
        """From here on records change: until this run exports in its turn, the last export is out of date."""
        self._whole.unlink(missing_ok=True)

    def close(self, ephemeral: bool) -> None:
        """Forgets everything after an ephemeral run."""
        if ephemeral:
            shutil.rmtree(self.directory, ignore_errors=True)

    def save_firestore(self, host: str) -> None:
        """Exports the records of a Firestore that still answers; raises StackError when it refuses."""
        connection = http.client.HTTPConnection(host, timeout=60)
        request = {
            "database": f"projects/{PROJECT}/databases/(default)",
            "export_directory": str(self._firestore),
            "export_name": _EXPORT,
        }
        try:
            connection.request("POST", f"/emulator/v1/projects/{PROJECT}:export", json.dumps(request))
            answer = connection.getresponse()
            said = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as failure:
            raise StackError(f"Firestore's records could not be saved: {failure}") from failure
        finally:
            connection.close()
        if answer.status != 200 or not self.export.exists():
            raise StackError(f"Firestore's records could not be saved: it answered {answer.status} {said}")
        self._whole.touch()

    def page_token_key(self) -> str:
        """The key of the API's page tokens, drawn once."""
        path = self.directory / "page-token-key"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(32))
        return path.read_text()

    @property
    def _firestore(self) -> Path:
        return self.directory / "firestore"

    @property
    def _whole(self) -> Path:
        return self._firestore / "whole"

    def _forget(self) -> bool:
        services = self.directory / "cloud_run"
        had_some = services.exists() and any(services.iterdir())
        for path in self.directory.iterdir():
            if path.name in _KEPT_ALWAYS:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        return had_some
