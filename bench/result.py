"""What came out of a run? Ratios with their limits, as a table for people and as JSON for the next run."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tools.venv import STATE

DIRECTORY = STATE / "bench"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing measured beside its peer, both in `unit`.

    `limit` bounds ours / peer: from below where more is better, from above where less is; None where it is only
    watched. `why` says where the limit is from.
    """

    name: str
    unit: str
    ours: float
    peer: float
    beside: str
    limit: float | None = None
    more_is_better: bool = True
    why: str = ""

    @property
    def ratio(self) -> float:
        return self.ours / self.peer

    @property
    def holds(self) -> bool:
        """Whether the limit is kept."""
        if self.limit is None:
            return True
        return self.ratio >= self.limit if self.more_is_better else self.ratio <= self.limit


def table(rows: Sequence[Row]) -> str:
    """The rows, with what is over its limit named."""
    head = ("", "what", "ours", "peer", "unit", "ratio", "limit", "beside")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def write(subject: str, rows: Sequence[Row], left_out: Sequence[str]) -> Path:
    """Keeps the run as JSON; the file's name has its time."""
    now = datetime.now(UTC)
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    path = DIRECTORY / f"{subject}-{now:%Y%m%dT%H%M%SZ}.json"
    content = {
        "subject": subject,
        "time": now.isoformat(),
        "machine": {
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "rows": [asdict(row) | {"ratio": round(row.ratio, 4), "holds": row.holds} for row in rows],
        "leftOut": list(left_out),
    }
    path.write_text(json.dumps(content, indent=1))
    return path


def _cells(row: Row) -> tuple[str, ...]:
    sign = ">=" if row.more_is_better else "<="
    limit = "" if row.limit is None else f"{sign} {row.limit:g}"
    figures = (_figure(row.ours), _figure(row.peer), row.unit, f"{row.ratio:.2f}")
    return ("ok" if row.holds else "OVER", row.name, *figures, limit, row.beside)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
