"""Where does the story take place: in a local cloud that runs already, or in one of its own?

In a running one it is a guest: a user and a project of its own, because a cap stops everything that its user runs.
"""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from emulators.stack import LocalCloud, Options, StackError, stack_file
from emulators.stack.auth import DEMO_USERS, id_token, user
from emulators.stack.probe import answers
from tools.venv import STATE

OWN_MINUTE_SECONDS = 2.0
OWN_SETTINGS = {"AUTO_IDLE_MINUTES": "0.1"}
"""Every window of the product derives from its timers, so these short ones stay truthful."""
KEPT_LOGS = STATE / "demo-logs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One local cloud as its stack file describes it, and who the story is there."""

    project: str
    region: str
    endpoints: Mapping[str, str]
    logs: Mapping[str, Path]
    minute: timedelta
    """How often the sweep comes."""
    uid: str
    auth: str | None
    """The Auth emulator, where there is one."""
    is_own: bool

    def id_token(self, uid: str) -> str:
        """A fresh ID token of a user."""
        return id_token(self.auth, user(uid))

    @property
    def idle_after(self) -> timedelta:
        return timedelta(seconds=4) + self.minute / 10

    @property
    def stop_after(self) -> timedelta:
        """Later than IDLE by more than a sweep's interval, so that IDLE can be seen."""
        return self.idle_after + self.minute * 1.5 + timedelta(seconds=7)

    @property
    def patience(self) -> float:
        """Seconds within which the sweep has surely done what is due."""
        return 60 + 3 * self.minute.total_seconds()


@contextmanager
def place_at(file: Path, say: Callable[[str], None], *, own: bool, runtime: str) -> Iterator[Place]:
    """The cloud of this stack file where it runs, else one of its own that ends with the story. Raises StackError."""
    content = None if own else running(file)
    if content is not None:
        uid = f"storyteller-{secrets.token_hex(3)}"
        yield _place(content, uid, {name: Path(part["log"]) for name, part in content["components"].items()})
        return
    options = Options(
        state=STATE / f"demo-{os.getpid()}",
        settings=OWN_SETTINGS,
        minute_seconds=OWN_MINUTE_SECONDS,
        workstation=False,
        ephemeral=True,
        any_free_ports=True,
        runtime=runtime,
    )
    with LocalCloud(options, say=say) as cloud:
        try:
            kept = {part.name: KEPT_LOGS / part.log.name for part in cloud.components}
            yield _place(cloud.description(), DEMO_USERS[0].uid, kept, is_own=True)
        finally:
            # The cloud forgets everything at its end, and a failed step names its log.
            shutil.copytree(options.logs, KEPT_LOGS, dirs_exist_ok=True)


def running(file: Path) -> dict[str, Any] | None:
    """What runs there, None where nothing does or not all of it answers."""
    try:
        content = stack_file.read(file)
    except StackError:
        return None
    needed = {"api", "gateway", "cloud_scheduler"} <= content["components"].keys()
    whole = needed and all(answers(part["ready"]) for part in content["components"].values())
    return content if whole else None


def _place(content: Mapping[str, Any], uid: str, logs: Mapping[str, Path], *, is_own: bool = False) -> Place:
    # As a developer's shell would: by these variables Google's clients find the emulators.
    os.environ.update(content["environment"])
    return Place(
        project=content["project"],
        region=content["region"],
        endpoints=content["endpoints"],
        logs=logs,
        minute=timedelta(seconds=content["minuteSeconds"]),
        uid=uid,
        auth=content["endpoints"]["auth"] if content["authEmulator"] else None,
        is_own=is_own,
    )
