"""What a bench says of its figures: which are over their limits, and that a run is kept."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import measure, result
from bench.result import Row, table, write
from tools.venv import ROOT

QUICK = Row("get", "calls/s", ours=500, peer=1000, beside="nginx", limit=0.4, why="because")
SLOW = Row("wake", "ms", ours=90, peer=30, beside="raw spawn", limit=2.0, more_is_better=False)


def test_a_rate_is_bounded_from_below_and_a_time_from_above() -> None:
    assert QUICK.holds
    assert not replace(QUICK, ours=300).holds
    assert not SLOW.holds
    assert replace(SLOW, ours=45).holds
    assert replace(SLOW, limit=None).holds


def test_the_table_names_what_is_over_its_limit() -> None:
    quick, slow = table([QUICK, SLOW]).splitlines()[1:]

    assert quick.startswith("ok")
    assert "0.50   >= 0.4  nginx" in quick
    assert slow.startswith("OVER")
    assert "3.00   <= 2    raw spawn" in slow


def test_a_run_is_kept_with_its_ratios(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result, "DIRECTORY", tmp_path / "bench")

    kept = json.loads(write("emulators", [QUICK, SLOW], ["nginx is not here"]).read_text())

    assert [(row["name"], row["ratio"], row["holds"]) for row in kept["rows"]] == [
        ("get", 0.5, True),
        ("wake", 3.0, False),
    ]
    assert kept["leftOut"] == ["nginx is not here"]


def test_ours_and_the_peer_take_turns_and_the_first_turn_is_not_counted() -> None:
    said: list[str] = []
    times = iter([99.0, 99.0, 1.0, 10.0, 3.0, 30.0, 2.0, 20.0])

    def turn(who: str) -> float:
        said.append(who)
        return next(times)

    assert measure.in_turns(lambda: turn("ours"), lambda: turn("peer"), rounds=3) == (2.0, 20.0)
    assert said == ["ours", "peer"] * 4


def test_help_names_the_subjects_and_the_peers() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "bench", "--help"], cwd=ROOT, text=True, capture_output=True, timeout=60
    ).stdout

    assert "./dev bench emulators" in said
    assert "nginx" in said
