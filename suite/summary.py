"""What is said at the end of a run: the slowest tests, what was left out and why, every part, one line of totals."""

from collections.abc import Mapping, Sequence
from typing import Any

from suite.running import Done

Results = Mapping[str, Mapping[str, Any]]

_SLOWEST = 10


def summary(parts: Sequence[Done], results: Results) -> str:
    """The whole of it, as lines."""
    outcomes = [result["outcome"] for result in results.values()]
    counts = {kind: outcomes.count(kind) for kind in ("passed", "failed", "skipped")}
    return "\n".join(
        [
            "",
            "Slowest tests",
            *_slowest(results),
            "",
            "Skipped",
            *(_skipped(parts, results) or ["  nothing"]),
            *_unsteady(results),
            "",
            "Parts",
            *(_part(part) for part in parts),
            "",
            f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped",
        ]
    )


def _slowest(results: Results) -> list[str]:
    slowest = sorted(results.items(), key=lambda item: -float(item[1]["seconds"]))[:_SLOWEST]
    return [f"  {result['seconds']:6.1f} s  {name}" for name, result in slowest]


def _skipped(parts: Sequence[Done], results: Results) -> list[str]:
    tests = [
        f"  {name}: {result['reason']}" for name, result in results.items() if result["outcome"] == "skipped"
    ]
    return tests + [f"  {part.name}: {part.said}" for part in parts if part.said.startswith("left out")]


def _unsteady(results: Results) -> list[str]:
    names = [f"  {name}" for name, result in results.items() if result.get("unsteady")]
    return ["", "Unsteady: failed beside others, passed alone; to be mended", *names] if names else []


def _part(part: Done) -> str:
    mark = "ok" if part.passed else "FAILED"
    budget = f" of {part.budget:4.0f} s" if part.budget else ""
    return f"  {mark:6}  {part.seconds:6.1f} s{budget}  {part.name}" + (f", {part.said}" if part.said else "")
