"""Which names does a glob match?  The patterns of ``matchGlob``: * ? [a-z] [!a] {a,b} and ** across slashes."""

import re
from re import Pattern

from emulators.cloud_storage.failures import Reason, StorageError

_PIECE = re.compile(r"\*\*/?|\*|\?|\[!?[^\]]+\]|[{},]|\\.|.", re.DOTALL)
_MEANINGS = {"**": ".*", "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}


def compile_glob(glob: str) -> Pattern[str]:
    """The glob as a regular expression; raises for one that is malformed."""
    depth, parts = 0, []
    for piece in _PIECE.findall(glob):
        parts.append(_meaning(piece, depth))
        depth += (piece == "{") - (piece == "}")
    try:
        return re.compile("".join(parts), re.DOTALL)
    except re.error as error:
        raise StorageError(Reason.INVALID, f"Invalid matchGlob: {glob!r}.") from error


def _meaning(piece: str, depth: int) -> str:
    if piece == "," and depth:
        return "|"
    if piece.startswith("[") and len(piece) > 1:
        inside = piece[1:-1].replace("\\", r"\\").replace("[", r"\[")
        return f"[^{inside[1:]}/]" if inside.startswith("!") else f"[{inside}]"
    if piece.startswith("\\") and len(piece) > 1:
        return re.escape(piece[1])
    return _MEANINGS.get(piece) or re.escape(piece)
