"""The page that a run writes about itself: what was killed where, what came of it, and what that does not show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from textwrap import dedent

from proof.cast import Victim
from proof.round import SETTLE_SECONDS, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of many rounds."""

    day: date
    seed: int
    runtime: str
    lanes: int
    minutes: float
    outcomes: Sequence[Outcome]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    victim: str
    where: str
    kills: int
    clean: int
    recover_seconds: float
    settle_seconds: float
    violations: int


def page(run: Run) -> str:
    """The whole report as Markdown."""
    parts = [_head(run), _victims(run), _places(run), _violations(run), _SHOWN]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def replay(seed: int, outcome: Outcome) -> str:
    """The command that plays one round again."""
    return f"./dev kill --seed {seed} --only {outcome.plan.number}"


def rows(outcomes: Iterable[Outcome], *, places: bool) -> list[Row]:
    """A row for each victim, or for each victim and place; a round with two kills stands in two rows."""
    hits = [
        (strike.trip.victim.value, f"{strike.trip.moment} {strike.trip.call}" if places else "", outcome)
        for outcome in outcomes
        for strike in outcome.strikes
        if strike.hit
    ]
    hits.sort(key=lambda hit: hit[:2])
    found = []
    for (victim, where), group in groupby(hits, key=lambda hit: hit[:2]):
        struck = [outcome for _, _, outcome in group]
        found.append(
            Row(
                victim,
                where,
                len(struck),
                sum(outcome.is_clean for outcome in struck),
                max(outcome.recover_seconds for outcome in struck),
                max(outcome.settle_seconds for outcome in struck),
                sum(len(outcome.violations) for outcome in struck),
            )
        )
    return found


def _head(run: Run) -> str:
    outcomes = run.outcomes
    kills = sum(bool(strike.hit) for outcome in outcomes for strike in outcome.strikes)
    clean = sum(outcome.is_clean for outcome in outcomes)
    quiet = sum(not any(strike.hit for strike in outcome.strikes) for outcome in outcomes)
    requests, retried = sum(o.requests for o in outcomes), sum(o.retried for o in outcomes)
    longest = max((outcome.settle_seconds for outcome in outcomes), default=0)
    return dedent(f"""
        # Proof by kill -9

        Written by `./dev kill` on {run.day.isoformat()}; do not edit. Each round tells the story of one user and one
        workstation against a whole local cloud, kills a process with SIGKILL at a call that seed and round choose, lets the
        supervisor start it again, waits for the sweeps, and then reads what is left through Google's own clients.

        | | |
        |---|---|
        | seed | {run.seed} |
        | rounds | {len(outcomes)} |
        | ended clean | {clean} |
        | violations | {sum(len(outcome.violations) for outcome in outcomes)} |
        | kills | {kills} |
        | rounds whose call did not come by, or that hit nothing | {quiet} |
        | requests of the clients | {requests}, of which {retried} were asked again |
        | operations that ended in an error and were asked for anew | {sum(len(o.failed) for o in outcomes)} |
        | objects in the bucket of workstations that were purged | {sum(len(outcome.left) for outcome in outcomes)} |
        | longest time to settle | {longest:.1f} s of {SETTLE_SECONDS:.0f} s allowed |
        | workstations run as | {run.runtime} |
        | took | {run.minutes:.0f} min in {run.lanes} lanes |
    """)


def _victims(run: Run) -> str:
    return "## By victim\n\n" + _table(rows(run.outcomes, places=False), places=False)


def _places(run: Run) -> str:
    return "## By the call at which it was killed\n\n" + _table(rows(run.outcomes, places=True), places=True)


def _table(found: Sequence[Row], *, places: bool) -> str:
    head = ["victim", *(["killed"] if places else []), "kills", "rounds clean"]
    head += [
        "longest from kill to next acknowledgement, s",
        "longest to settle after the story, s",
        "violations",
    ]
    lines = [head, ["---"] * len(head)]
    for row in found:
        cells = [row.victim, *([row.where] if places else []), str(row.kills), str(row.clean)]
        lines.append([*cells, f"{row.recover_seconds:.1f}", f"{row.settle_seconds:.1f}", str(row.violations)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _violations(run: Run) -> str:
    lines = ["## Violations", ""]
    for outcome in run.outcomes:
        if outcome.is_clean:
            continue
        trips = "; ".join(str(strike.trip) for strike in outcome.strikes) or "nobody killed"
        lines.append(
            f"- round {outcome.plan.number} ({outcome.plan.shape}; {trips}): `{replay(run.seed, outcome)}`"
        )
        lines += [f"  - {violation}" for violation in outcome.violations]
    return "\n".join(lines if len(lines) > 2 else [*lines, "None."])


_SHOWN = f"""
## What is shown, and what is not

After every round: the record rests where the client was told; record and service agree in scaling and epoch, and no
service may run longer than is paid for; there is at most one service, and none without a record; nothing runs that is
stopped or gone; reservations hold only what runs; the ledger's intervals are priced exactly, without gap or overlap, and
add up to the user's totals; the events are numbered without a gap, and their hash chain, recomputed, is whole; every
operation that a client was told of is done; the recorded backup is in the bucket with the recorded size, sha256 and
crc32c, and unpacked it holds exactly the files that were acknowledged before the save; what was read through the gateway
is what had been written; and after a purge no record, service, instance or reservation is left.

- Files that were written and not yet saved are lost when the instance or Cloud Run itself is killed: those rounds check
  that everything *saved* is there, and nothing else.
- The Firestore emulator keeps its records in memory, so killing it would delete the database by design. It is stopped
  for some seconds instead ("{Victim.FIRESTORE}"): a database that does not answer.
- Killing the Cloud Run emulator kills every instance with it, as losing a machine would.
- The replay of a round draws the same story, files and kill; when each call comes is up to the machine.
- Everything runs on one machine, so lost packets between parts, clocks that differ and Google's own delays are not shown.
"""
