"""One round: the story with its kill, the wait until all has settled, the invariants, and a purge that leaves nothing."""

import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import httpx2
from google.api_core.exceptions import GoogleAPIError

from proof import invariants
from proof.client import Client, OutOfTime, Refused
from proof.invariants.violation import Violation
from proof.place import MINUTE_SECONDS, Place
from proof.plan import Plan
from proof.story import Hand, tell
from proof.told import Told
from proof.tripwire import Call, Strike

STORY_SECONDS = 420.0
"""A story that takes longer has got stuck: the product's longest own pauses are minutes."""
SETTLE_SECONDS = 20 * MINUTE_SECONDS + 120
"""Twenty of the scheduler's minutes, and room for a slow machine and for pauses that no setting shortens."""
_WATCH_SECONDS = 1.0
_ABSENT = (httpx2.TransportError, GoogleAPIError, OSError)
"""What a witness meets while a part is down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a round."""

    plan: Plan
    strikes: tuple[Strike, ...] = ()
    violations: tuple[Violation, ...] = ()
    seconds: float = 0
    settle_seconds: float = 0
    """From the end of the story until every invariant held."""
    recover_seconds: float = 0
    """From the last kill to the next operation or write that was acknowledged."""
    requests: int = 0
    retried: int = 0
    failed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    """Objects of the purged workstation that are still in the bucket."""
    calls: Counter[Call] = field(default_factory=Counter)

    @property
    def is_clean(self) -> bool:
        return not self.violations


def play(place: Place, plan: Plan) -> Outcome:
    """One round, told to its end however it goes."""
    began = time.monotonic()
    told = Told(owner=plan.user)
    client = Client(
        place.cloud.endpoints["api"],
        place.cloud.endpoints["gateway"],
        lambda: place.cloud.id_token(plan.user),
        plan.random("client"),
        told,
        began + STORY_SECONDS,
    )
    hand = Hand(plan, client, told)
    place.tripwire.arm(plan.trips)
    try:
        with _Watch(place, told):
            broken = _tell(hand)
        place.tripwire.disarm()
        strikes, calls = tuple(place.tripwire.strikes), Counter(place.tripwire.counted)
        told.may_lose = any(strike.trip.victim.takes_files for strike in strikes)
        settling = time.monotonic()
        breaches = [] if broken and not told.uid else _settle(place, told)
        settled = time.monotonic() - settling
        left: tuple[str, ...] = ()
        if not broken:
            breaches += _purge(place, hand)
            left = tuple(one.name for one in place.witness.find(told).objects)
    finally:
        place.tripwire.disarm()
        client.close()
    return Outcome(
        plan=plan,
        strikes=strikes,
        violations=tuple(dict.fromkeys([*broken, *breaches])),
        seconds=time.monotonic() - began,
        settle_seconds=settled,
        recover_seconds=_recovered(strikes, told),
        requests=told.requests,
        retried=told.retried,
        failed=tuple(told.failed),
        left=left,
        calls=calls,
    )


def _tell(hand: Hand) -> list[Violation]:
    """What kept the story from its end."""
    try:
        tell(hand)
    except (OutOfTime, Refused) as failure:
        return [Violation("the story comes to its end", str(failure))]
    return []


def _settle(place: Place, told: Told, seconds: float = SETTLE_SECONDS) -> list[Violation]:
    """Looks until nothing is wrong; what still is when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        breaches = _look(place, told)
        if not breaches or time.monotonic() > deadline:
            return breaches
        time.sleep(_WATCH_SECONDS / 2)


def _look(place: Place, told: Told) -> list[Violation]:
    try:
        return invariants.violations(place.witness.find(told), told)
    except _ABSENT as failure:
        return [Violation("the witnesses answer", f"{type(failure).__name__} {failure}")]


def _purge(place: Place, hand: Hand) -> list[Violation]:
    """Deletes for good what the story has left, with nobody killed, and looks that nothing remains."""
    told = hand.told
    if told.rests_in != "PURGED":
        hand.client.deadline = time.monotonic() + SETTLE_SECONDS
        try:
            hand.delete(purge=True)
        except (OutOfTime, Refused) as failure:
            return [Violation("the story comes to its end", f"at the purge: {failure}")]
        told.rests_in = "PURGED"
    return _settle(place, told)


def _recovered(strikes: tuple[Strike, ...], told: Told) -> float:
    """How long after the last kill the client was told that something was done."""
    if not strikes:
        return 0
    last = max(strike.at for strike in strikes)
    later = [moment - last for moment in told.acknowledged if moment > last]
    return min(later, default=0)


class _Watch:
    """Looks now and then while the story goes on: how many services are scaled up, what the logs hold already."""

    def __init__(self, place: Place, told: Told) -> None:
        self._place = place
        self._told = told
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_WATCH_SECONDS):
            told = self._told
            if not told.uid:
                continue
            with suppress(*_ABSENT):
                found = self._place.witness.look(told)
                up = sum(service.scaling != "MANUAL 0" for service in found.services)
                told.most_scaled_up = max(told.most_scaled_up, up)
                told.seen_events |= {int(event["n"]): event["hash"] for event in found.events}
                told.seen_ledger |= found.ledger
