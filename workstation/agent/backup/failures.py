"""Why can a save or a load fail? Each failure has a reason that a program can act on."""

import errno

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a file system answers when something does not fit."""

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""What says nothing of the file at hand, but that the process or the machine has run out of something."""


def mebibytes(size: int) -> int:
    """Return whole MiB, rounded up, as people read them."""
    return -(-size // 2**20)


class WorkspaceError(Exception):
    """A save or a load that failed; `temporary` ones may work when they are repeated with the same grant."""

    reason = "FILE_SYSTEM"
    temporary = False


class ArchiveRefusedError(WorkspaceError):
    """The archive is damaged or holds something that a backup of ours never holds."""

    reason = "BACKUP_CORRUPT"


class DoesNotFitError(WorkspaceError):
    """The files need more room than there is."""

    reason = "NO_SPACE"

    def __init__(self, needed: int, room: int) -> None:
        super().__init__(
            f"its files need {mebibytes(needed)} MiB or more, and the workspace holds {mebibytes(room)} MiB; "
            "take a larger size"
        )


class NotEmptyError(WorkspaceError):
    """There is something in the workspace already."""

    reason = "NOT_EMPTY"


class GrantRefusedError(WorkspaceError):
    """The store refused the grant, and will refuse it again."""

    reason = "GRANT_REFUSED"


class StoreUnreachableError(WorkspaceError):
    """The store could not be reached, or the transfer broke off."""

    reason = "STORE_UNREACHABLE"
    temporary = True


class NoObjectError(WorkspaceError):
    """The store has no object of that name."""

    reason = "BACKUP_MISSING"


class NameTakenError(WorkspaceError):
    """Another content lies under that name already; nothing was overwritten."""

    reason = "NAME_TAKEN"
