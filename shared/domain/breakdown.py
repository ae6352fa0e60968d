"""What went wrong with a workstation, what that means, and what its user can do: one row for each cause.

A `Reason` is the word that users may rely on; a `Cause` is finer and says which of several things it was.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from shared.domain.states import Reason

MOST_LINES = 20
LONGEST_LINE = 200
LONGEST_MESSAGE = 500
_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")


class Cause(StrEnum):
    """The closed set of what breaks a workstation; the `reason` of the error that a client sees."""

    IMAGE_NOT_FOUND = "IMAGE_NOT_FOUND"
    IMAGE_FORBIDDEN = "IMAGE_FORBIDDEN"
    REGISTRY_UNREACHABLE = "REGISTRY_UNREACHABLE"
    EXITED_AT_START = "EXITED_AT_START"
    START_FAILED = "START_FAILED"
    STARTUP_TIMEOUT = "STARTUP_TIMEOUT"
    NO_CAPACITY = "NO_CAPACITY"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    DISK_FULL = "DISK_FULL"
    BACKUP_DAMAGED = "BACKUP_DAMAGED"
    LOAD_FAILED = "LOAD_FAILED"
    CRASH_LOOP = "CRASH_LOOP"
    SERVICE_GONE = "SERVICE_GONE"
    NAME_TAKEN = "NAME_TAKEN"
    MISCONFIGURED = "MISCONFIGURED"
    PLATFORM_FAILED = "PLATFORM_FAILED"
    PLATFORM_UNAVAILABLE = "PLATFORM_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A cause in words: under which reason it counts, what it is, and what to do next."""

    reason: Reason
    summary: str
    help: str


@dataclass(frozen=True, slots=True)
class Breakdown:
    """One thing that went wrong: its cause, in whose words it was told, and the last lines of the log, if known."""

    cause: Cause
    message: str = ""
    log: tuple[str, ...] = ()

    @property
    def reason(self) -> Reason:
        return EXPLANATIONS[self.cause].reason

    @property
    def text(self) -> str:
        """For people: what it means, then what was told."""
        return f"{EXPLANATIONS[self.cause].summary} {self.message}".strip()

    @property
    def help(self) -> str:
        return EXPLANATIONS[self.cause].help


def plain(text: str, length: int = LONGEST_MESSAGE) -> str:
    """`text` on one line of at most `length` characters, without what would move a terminal's cursor or hide text."""
    return " ".join(_visible(text).split())[:length]


def last_lines(log: str) -> tuple[str, ...]:
    """The end of a log that a program wrote: bounded, and nothing in it but what can be seen."""
    lines = [_visible(line).rstrip()[:LONGEST_LINE] for line in re.split(r"\r\n|[\n\r]", log)]
    return tuple([line for line in lines if line][-MOST_LINES:])


def _visible(text: str) -> str:
    spaced = _ESCAPE_SEQUENCE.sub("", text).replace("\t", "    ")
    # Every category that begins with C: controls, lone surrogates, and what reverses the direction of reading.
    return "".join(
        " " if character in "\n\r" else character
        for character in spaced
        if character in "\n\r" or not unicodedata.category(character).startswith("C")
    )


EXPLANATIONS: Mapping[Cause, Explanation] = MappingProxyType(
    {
        Cause.IMAGE_NOT_FOUND: Explanation(
            Reason.START_FAILED,
            "Its image does not exist.",
            "Choose another template. Whoever runs this deployment: push the image, or correct its digest in "
            "TEMPLATE_IMAGES.",
        ),
        Cause.IMAGE_FORBIDDEN: Explanation(
            Reason.START_FAILED,
            "Its image may not be read.",
            "Choose another template. Whoever runs this deployment: give Cloud Run's service agent the role "
            "Artifact Registry Reader on the image's repository.",
        ),
        Cause.REGISTRY_UNREACHABLE: Explanation(
            Reason.START_FAILED,
            "Its image could not be fetched.",
            "Wait: the registry is asked again with the next try. If it stays so, tell whoever runs this deployment.",
        ),
        Cause.EXITED_AT_START: Explanation(
            Reason.START_FAILED,
            "Its container ended while it was starting.",
            "Read the last lines of its log. A variable in `env` or a program of the template's is the usual "
            "cause; correct it, then wake the workstation.",
        ),
        Cause.START_FAILED: Explanation(
            Reason.START_FAILED,
            "Its container did not start.",
            "Read the last lines of its log, then wake the workstation. If it fails again, try a larger size or "
            "another template.",
        ),
        Cause.STARTUP_TIMEOUT: Explanation(
            Reason.UNHEALTHY,
            "It did not become healthy in time.",
            "Wake it again, or take a larger size: it starts faster. Whoever runs this deployment may allow more "
            "time by CONTAINER_STARTUP_TIMEOUT.",
        ),
        Cause.NO_CAPACITY: Explanation(
            Reason.UNHEALTHY,
            "Cloud Run could not provide an instance.",
            "Wait: it is tried again. If it stays so, try a smaller size, or tell whoever runs this deployment that "
            "the region's quota may be used up.",
        ),
        Cause.OUT_OF_MEMORY: Explanation(
            Reason.OOM,
            "It needed more memory than its size has.",
            "Take a larger size (GET /v1/sizes), or use less memory; the files of the workspace count too.",
        ),
        Cause.DISK_FULL: Explanation(
            Reason.START_FAILED,
            "Its files do not fit into its workspace.",
            "Take a larger size (GET /v1/sizes): the workspace holds half of the memory. Nothing is lost, the "
            "backup stays.",
        ),
        Cause.BACKUP_DAMAGED: Explanation(
            Reason.START_FAILED,
            "Its backup cannot be read.",
            "Nothing was written over it. Wake it again; if it stays so, ask whoever runs this deployment for the "
            "backup before.",
        ),
        Cause.LOAD_FAILED: Explanation(
            Reason.START_FAILED,
            "Its files could not be loaded.",
            "Wait: it is tried again, or wake it yourself. Nothing is lost, the backup stays.",
        ),
        Cause.CRASH_LOOP: Explanation(
            Reason.CRASH,
            "Its instance ended again and again.",
            "Too little memory is the usual cause: take a larger size, or use less. Whoever runs this deployment "
            "finds the cause in the service's log, under `Memory limit`.",
        ),
        Cause.SERVICE_GONE: Explanation(
            Reason.CRASH,
            "Its Cloud Run service is gone.",
            "Wake it: the service is made anew and filled from the backup.",
        ),
        Cause.NAME_TAKEN: Explanation(
            Reason.START_FAILED,
            "A service of another's has its name.",
            "Whoever runs this deployment: remove that service, or use a project of its own.",
        ),
        Cause.MISCONFIGURED: Explanation(
            Reason.START_FAILED,
            "The deployment lacks something that it needs.",
            "Tell whoever runs this deployment; the message names what Cloud Run misses.",
        ),
        Cause.PLATFORM_FAILED: Explanation(
            Reason.CRASH,
            "Cloud Run had an error of its own.",
            "Wait: it is tried again. If it stays so, see status.cloud.google.com.",
        ),
        Cause.PLATFORM_UNAVAILABLE: Explanation(
            Reason.START_FAILED,
            "Cloud Run did not start it in time.",
            "Wait: it is tried again. If it stays so, see status.cloud.google.com, or tell whoever runs this "
            "deployment that quota or a role may be missing.",
        ),
    }
)
