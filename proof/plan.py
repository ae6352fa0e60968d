"""What happens in a round: which story, who is killed, at which call, before or after it. Drawn from the seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from proof.calls import CALLERS, calls
from proof.cast import Moment, Shape, Trip, Victim

WEIGHTS: Mapping[Victim, int] = {
    Victim.API: 4,
    Victim.API_WORKER: 2,
    Victim.SWEEP: 3,
    Victim.SWEEP_WORKER: 1,
    Victim.CLEANUP: 1,
    Victim.GATEWAY: 3,
    Victim.CLOUD_RUN: 3,
    Victim.CLOUD_STORAGE: 2,
    Victim.IDENTITY: 1,
    Victim.CLOUD_SCHEDULER: 1,
    Victim.INSTANCE: 4,
    Victim.FIRESTORE: 2,
}
_SECOND_KILL = 0.25
_PATIENT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One round. A patient client waits for its operations; the other only looks, so that the sweep does the work."""

    seed: int
    number: int
    shape: Shape
    patient: bool
    trips: tuple[Trip, ...]

    @property
    def user(self) -> str:
        return f"round-{self.seed}-{self.number}"

    def random(self, purpose: str) -> Random:
        """The same numbers for the same round and purpose."""
        return Random(f"{self.seed}/{self.number}/{purpose}")  # noqa: S311 - repeatable, not secret


def plan_of(seed: int, number: int) -> Plan:
    """The plan of one round: one kill, now and then a second one."""
    random = Random(f"{seed}/{number}")  # noqa: S311 - repeatable, not secret
    shape = random.choice(list(Shape))
    trips = [_trip(random, shape)]
    if random.random() < _SECOND_KILL:
        trips.append(_trip(random, shape))
    # What a patient client waits for, the API does; the sweep is killed at work that is left to it.
    patient = random.random() < _PATIENT and all(trip.caller != "sweep" for trip in trips)
    return Plan(seed=seed, number=number, shape=shape, patient=patient, trips=tuple(trips))


def _trip(random: Random, shape: Shape) -> Trip:
    (victim,) = random.choices(list(WEIGHTS), list(WEIGHTS.values()))
    caller = victim.component if victim.component in CALLERS else ""
    known = calls(victim, shape)
    call = random.choice(sorted(known))
    return Trip(
        victim=victim,
        caller=caller,
        call=call,
        ordinal=random.randint(1, known[call]),
        moment=random.choice(list(Moment)),
    )
