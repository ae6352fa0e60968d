"""Why can a save or a load fail? Each failure has a reason that a program can act on."""


class WorkspaceError(Exception):
    """A save or a load that failed; `temporary` ones may work when they are repeated with the same grant."""

    reason = "FILE_SYSTEM"
    temporary = False


class ArchiveRefusedError(WorkspaceError):
    """The archive is damaged or holds something that a backup of ours never holds."""

    reason = "BACKUP_CORRUPT"


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
