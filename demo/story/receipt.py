"""The receipt: every millionth of a dollar and every event is accounted for, and the sums are our own."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from demo.story.money import dollars, micros
from demo.story.observation import expect
from demo.story.story import Step, Story

_SECONDS_IN_HOUR = 3600


def show_the_receipt(story: Story) -> None:
    """The ledger adds up to the user's totals, and no event is missing."""
    life = story.firestore.ledger(story.place.uid, story.uid)
    story.transcript.did("read ledger, totals and events in Firestore")
    story.transcript.table([("from", "seconds", "rate", "$/hour", "requests", "amount"), *map(_line, life)])
    see_the_amounts(life)
    total = sum(int(row["amount"]) for row in life)
    story.transcript.saw(f"Firestore: {len(life)} closed intervals; the whole life cost {dollars(total)}")
    _see_the_totals(story)
    _see_the_chain(story)


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    rate = f"{row['rate'] / 1_000_000:.4f}"
    seconds, requests = f"{_seconds(row):.1f}", str(row["requests"])
    return f"{row['start']:%H:%M:%S}", seconds, row["usage"], rate, requests, dollars(row["amount"])


def _seconds(row: Mapping[str, Any]) -> float:
    return float((row["end"] - row["start"]).total_seconds())


def see_the_amounts(life: Sequence[Mapping[str, Any]]) -> None:
    """Each interval costs its time at its rate and its requests at their fee, to a millionth."""
    for row in life:
        exact = row["rate"] * _seconds(row) / _SECONDS_IN_HOUR + row["requests"] * row["fee"] / 1_000_000
        expect(abs(row["amount"] - exact) <= 1, f"{exact:.1f} millionths", row["amount"], "firestore")


def _see_the_totals(story: Story) -> None:
    """Ledger, totals and the API's answer agree to the millionth."""
    ledger = story.firestore.ledger(story.place.uid)
    user = story.firestore.user(story.place.uid)
    booked, totals = sum(int(row["amount"]) for row in ledger), sum(user["months"].values())
    expect(booked == totals, f"totals of {booked}", user["months"], "firestore")
    expect(booked == sum(user["days"].values()), f"days of {booked}", user["days"], "firestore")
    expect(not user["reservations"], "no reservation left", user["reservations"], "firestore")
    shown = _see_the_api_agrees(story, ledger)
    story.transcript.saw(
        f"Firestore: all {len(ledger)} of the user's intervals add up to the totals, {dollars(totals)}; "
        f"/v1/usage says {dollars(shown)}, and the same for each project; nothing is reserved any more"
    )


def _see_the_api_agrees(story: Story, ledger: Sequence[Mapping[str, Any]]) -> int:
    """This month by user and by project, as the ledger has it; returns what the API shows as spent."""
    this_month = [row for row in ledger if f"{row['start']:%Y-%m}" == f"{datetime.now(UTC):%Y-%m}"]
    usage = story.client.call("GET", "/v1/usage")
    shown, due = micros(usage["month"]["spent"]), sum(int(row["amount"]) for row in this_month)
    expect(shown == due, f"{due} in /v1/usage", shown, "api")
    projects = Counter[str]()
    for row in this_month:
        projects[row["project"]] += row["amount"]
    by_project = {project: micros(amount) for project, amount in usage["projects"].items()}
    expect(by_project == projects, f"by project {dict(projects)}", by_project, "api")
    return shown


def _see_the_chain(story: Story) -> None:
    """Every event follows from the one before: numbers without a gap, hashes that can be computed anew."""
    events = story.firestore.events(story.id, story.uid)
    expect(
        list(broken_links(events)) == [], "a whole chain of events", list(broken_links(events)), "firestore"
    )
    kinds = [str(event["kind"]) for event in events]
    expect(kinds[:1] == ["created"] and kinds[-1:] == ["deleted"], "created ... deleted", kinds, "firestore")
    story.transcript.saw(
        f"Firestore: {len(events)} events, each with the hash of the one before, all computed anew: {', '.join(kinds)}"
    )


def broken_links(events: Sequence[Mapping[str, Any]]) -> Iterator[int]:
    """The numbers at which the chain is broken."""
    previous = ""
    for number, event in enumerate(events, start=1):
        if event["n"] != number or event["previousHash"] != previous or event["hash"] != _digest(event):
            yield number
        previous = str(event["hash"])


def _digest(event: Mapping[str, Any]) -> str:
    names = (
        "uid",
        "n",
        "kind",
        "state",
        "actor",
        "reason",
        "message",
        "epoch",
        "requestId",
        "cost",
        "previousHash",
    )
    time = event["time"].astimezone(UTC).isoformat(timespec="microseconds")
    content = {name: event[name] for name in names} | {"time": time}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


STEPS = (Step("The receipt", show_the_receipt),)
