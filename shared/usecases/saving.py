"""Saving a workspace: upload, read back, record; only then is it called saved. The newest two are kept."""

from shared.domain.errors import Unavailable
from shared.domain.facts import Fact, Origin
from shared.domain.states import Kind
from shared.domain.workstation import Backup, Workstation
from shared.ports import Saved
from shared.usecases.deps import Deps
from shared.usecases.observe import Sight, address_of
from shared.usecases.recording import Snapshot, commit, read

KEPT = 2


def save_workspace(deps: Deps, sight: Sight, origin: Origin) -> Snapshot:
    """The record after the save. The agent has been quiesced. Raises Unavailable where the save cannot be trusted."""
    workstation = sight.workstation
    assert sight.observed.service is not None
    address = address_of(workstation, sight.observed.service)
    name = _object_name(deps, workstation)
    known = workstation.backup.sha256 if workstation.backup else None
    saved = deps.agents.save(address, deps.backups.upload_grant(name), known)
    backup = None if saved.unchanged else _verified(deps, sight, name, saved)
    commit(deps, sight.snapshot, Fact(kind=Kind.SAVED, time=deps.clock.now(), origin=origin, backup=backup))
    after = read(deps, workstation.id)
    prune(deps, after.workstation.value)
    return after


def prune(deps: Deps, workstation: Workstation) -> None:
    """Remove this life's backups but for the newest two; the recorded one always stays."""
    recorded = workstation.backup
    found = sorted(
        deps.backups.list(_prefix(workstation)), key=lambda item: (item.time, item.name), reverse=True
    )
    for item in found[KEPT:]:
        if recorded is None or item.name != recorded.object_name:
            deps.backups.delete(item.name)


def _verified(deps: Deps, sight: Sight, name: str, saved: Saved) -> Backup:
    """What the store really holds, held against what the agent says; the tenant's word alone is no save."""
    stored = deps.backups.stat(name)
    if stored is None or stored.size != saved.size or deps.backups.sha256(name) != saved.sha256:
        raise Unavailable(
            "The saved workspace did not arrive whole; it will be saved again.", "SAVE_NOT_VERIFIED"
        )
    return Backup(
        object_name=name,
        time=stored.time,
        sha256=saved.sha256,
        size=saved.size,
        files=saved.files,
        epoch=sight.workstation.epoch,
    )


def _prefix(workstation: Workstation) -> str:
    return f"{workstation.project_key}/{workstation.uid}/"


def _object_name(deps: Deps, workstation: Workstation) -> str:
    """Create-only and never tried twice: a second try after a lost answer writes an object of its own."""
    attempt = deps.entropy.bytes(4).hex()
    return f"{_prefix(workstation)}{workstation.epoch:08d}/{workstation.event_seq:08d}-{attempt}.tar.zst"
