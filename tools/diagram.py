"""The state diagram of docs/states.md, drawn from the one transition table: `python -m tools.diagram`."""

import sys
from pathlib import Path

from shared.domain.states import TRANSITIONS, Kind, State

PAGE = Path(__file__).parent.parent / "docs" / "states.md"
ANY = len(State) - 2
"""Moves out of so many states are told in a sentence; as arrows they would cover the rest."""

HEAD = """# States

Drawn from `TRANSITIONS` in `shared/domain/states.py` by `python -m tools.diagram`; a test fails when they differ.

| state | colour | what it is | on Cloud Run |
|---|---|---|---|
| PENDING | | recorded and paid for ahead; its service is being made | MANUAL 0 |
| STARTING | | the service is scaled up, its instance is loaded with the workspace | AUTOMATIC 1..1 |
| RUNNING | green | somebody works, or something works for them | AUTOMATIC 1..1 |
| IDLE | yellow | saved and frozen, back in a second | AUTOMATIC 1..1 |
| STOPPING | | is saved, then scaled down | AUTOMATIC 1..1, then MANUAL 0 |
| STOPPED | grey | costs nothing; its files are in the bucket | MANUAL 0 |
| DELETING | | is saved, then its service is deleted | |
| DELETED | | a tombstone | no service |
| ERROR | red | costs nothing; retried after 1, 2, 4 ... 30 minutes, five times, then waits for its user | MANUAL 0 |

"""


def page() -> str:
    """The whole page."""
    return f"{HEAD}```mermaid\nstateDiagram-v2\n{_arrows()}```\n\n{_asides()}"


def _arrows() -> str:
    lines = ["    [*] --> PENDING: created"]
    for kind, move in TRANSITIONS.items():
        if kind is Kind.CREATED or move.target is None or len(move.sources) >= ANY:
            continue
        lines += [f"    {source} --> {move.target}: {_words(kind)}" for source in sorted(move.sources)]
    lines.append("    DELETED --> [*]")
    return "\n".join(lines) + "\n"


def _asides() -> str:
    """What no arrow shows: facts that move nothing, and facts that may come at any time."""
    stays = [
        f"*{_words(kind)}* ({', '.join(sorted(move.sources))})"
        for kind, move in TRANSITIONS.items()
        if not move.target
    ]
    always = [
        f"*{_words(kind)}*" for kind, move in TRANSITIONS.items() if move.target and len(move.sources) >= ANY
    ]
    return (
        f"Facts that leave the state as it is: {', '.join(stays)}.\n\n"
        f"From every state but DELETING and DELETED: {', '.join(always)}.\n"
    )


def _words(kind: Kind) -> str:
    return kind.replace("_", " ")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is drawn.\n")
