"""The same seed and round give the same plan, and many of them reach every victim."""

from proof.calls import calls
from proof.cast import Moment, Shape, Victim
from proof.plan import plan_of

PLANS = [plan_of(1, number) for number in range(400)]


def test_a_round_can_be_played_again() -> None:
    assert [plan_of(1, number) for number in range(400)] == PLANS
    assert plan_of(2, 7) != plan_of(1, 7)


def test_every_victim_and_shape_has_its_turn_at_both_moments() -> None:
    trips = [trip for plan in PLANS for trip in plan.trips]

    assert {(trip.victim, trip.moment) for trip in trips} == {
        (victim, moment) for victim in Victim for moment in Moment
    }
    assert {plan.shape for plan in PLANS} == set(Shape)


def test_every_story_has_calls_to_be_killed_at() -> None:
    for victim in Victim:
        for shape in Shape:
            assert calls(victim, shape), (victim, shape)
            assert all(count > 0 for count in calls(victim, shape).values()), (victim, shape)
