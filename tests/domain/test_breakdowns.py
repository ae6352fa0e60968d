"""Whatever went wrong has a cause of its own, in words that help, and it costs nothing while it waits."""

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.actions import Record, failure
from shared.domain.breakdown import (
    EXPLANATIONS,
    LONGEST_LINE,
    LONGEST_MESSAGE,
    MOST_LINES,
    Breakdown,
    Cause,
    last_lines,
    plain,
)
from shared.domain.observed import SETTLE
from shared.domain.states import Kind, Reason, State
from tests.domain.builders_workstation import (
    MICROSECOND,
    MINUTE,
    NOW,
    POLICY,
    a_workstation,
    an_agent,
    decide_on,
)
from tests.domain.model_world import World, a_new_world

LOG = ("Traceback (most recent call last):", "MemoryError")


def broken(cause: Cause, world: World | None = None) -> World:
    """A workstation that ran, or just began to, and broke down."""
    before = world or a_new_world(NOW, POLICY).converge()
    return before.enact(failure(Breakdown(cause, "So it was told.", LOG)))


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_is_explained_and_says_what_to_do(cause: Cause) -> None:
    explanation = EXPLANATIONS[cause]

    assert explanation.reason in (Reason.START_FAILED, Reason.CRASH, Reason.OOM, Reason.UNHEALTHY)
    assert explanation.summary.endswith(".")
    assert explanation.help.endswith((".", ". "))
    assert len(explanation.help) > 30


def test_no_two_causes_read_alike() -> None:
    assert len({explanation.summary for explanation in EXPLANATIONS.values()}) == len(Cause)


@pytest.mark.mission("LIFE-13")
@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("at", ["while it starts", "while it runs"])
def test_each_one_is_metered_until_seen_gone_and_costs_nothing_from_then_on(cause: Cause, at: str) -> None:
    """The interval closes and the reservation is released, whatever it was."""
    fresh = a_new_world(NOW, POLICY)
    world = fresh if at == "while it starts" else fresh.converge()
    error = broken(cause, world)

    released = error.converge().later(SETTLE).converge()

    assert released.workstation.state is State.ERROR
    assert released.workstation.interval is None
    assert released.user.reservations == {}
    assert not released.instance_may_run
    spent = released.ledger
    waiting = replace(released, workstation=replace(released.workstation, retry_at=None)).later(1000 * MINUTE)
    assert waiting.converge().ledger == spent


@pytest.mark.parametrize("cause", Cause)
def test_what_went_wrong_is_in_the_record_the_log_and_the_operation(cause: Cause) -> None:
    error = broken(cause)

    record, event = error.workstation, error.events[-1]
    assert (record.reason, record.failed_time) == (EXPLANATIONS[cause].reason, NOW)
    assert record.breakdown == event.breakdown == Breakdown(cause, "So it was told.", LOG)
    assert record.message == f"{EXPLANATIONS[cause].summary} So it was told."


def test_it_is_remembered_while_it_is_tried_again_and_forgotten_once_it_runs() -> None:
    error = broken(Cause.OUT_OF_MEMORY).converge().later(SETTLE).converge()
    assert error.workstation.retry_at

    again = replace(error, now=error.workstation.retry_at).admitted(Kind.RETRIED)

    assert again.workstation.state is State.STARTING
    assert again.workstation.breakdown
    assert again.workstation.breakdown.cause is Cause.OUT_OF_MEMORY
    running = again.converge().workstation
    assert (running.state, running.breakdown, running.failed_time) == (State.RUNNING, None, None)
    assert running.failures == 1


def test_a_users_own_wake_forgets_it_at_once() -> None:
    error = broken(Cause.START_FAILED).converge().later(SETTLE).converge()

    woken = error.admitted(Kind.WOKEN).workstation

    assert (woken.breakdown, woken.failed_time, woken.failures) == (None, None, 0)


# --- crash loops -----------------------------------------------------------------------------------------------

MOST, WITHIN = POLICY.replacements.most, POLICY.replacements.within


def seen_anew(*ages: object) -> Record:
    """What is decided of a new instance, with earlier replacements so long ago."""
    times = tuple(NOW - age for age in ages)  # type: ignore[operator]
    workstation = a_workstation(silent=2 * MINUTE, replaced_times=times)
    action = decide_on(workstation, agent=an_agent(workstation, boot_id="another")).action
    assert isinstance(action, Record)
    return action


@pytest.mark.parametrize(
    ("ages", "kind"),
    [
        pytest.param([], Kind.REPLACED, id="the first"),
        pytest.param([MINUTE] * (MOST - 2), Kind.REPLACED, id="the last that is borne"),
        pytest.param([MINUTE] * (MOST - 1), Kind.FAILED, id="one too many"),
        pytest.param([WITHIN] + [MINUTE] * (MOST - 2), Kind.REPLACED, id="one of them long ago"),
        pytest.param([WITHIN - MICROSECOND] + [MINUTE] * (MOST - 2), Kind.FAILED, id="all just within"),
    ],
)
def test_an_instance_that_ends_again_and_again_is_given_up(ages: list[object], kind: Kind) -> None:
    action = seen_anew(*ages)

    assert action.kind is kind
    if kind is Kind.FAILED:
        assert action.breakdown
        assert action.breakdown.cause is Cause.CRASH_LOOP
        assert (action.reason, "memory" in action.breakdown.help) == (Reason.CRASH, True)


def test_a_program_that_brings_down_every_instance_ends_with_the_user() -> None:
    """Crash after crash: replaced, given up, retried, and in the end left alone, with nothing that costs."""
    world, crashes = a_new_world(NOW, POLICY).converge(), 0
    while world.workstation.state is not State.ERROR or world.workstation.retry_at:
        assert crashes < 100
        if world.workstation.state is State.ERROR:
            settled = world.converge().later(SETTLE).converge()
            assert settled.workstation.retry_at
            world = replace(settled, now=max(settled.now, settled.workstation.retry_at)).converge()
        else:
            crashes += 1
            world = world.later(2 * MINUTE).with_new_instance().converge()

    left = world.converge().later(SETTLE).converge()
    assert left.workstation.interval is None
    assert left.workstation.due_at is None
    assert crashes >= MOST


def test_replacements_now_and_then_go_on_for_ever() -> None:
    world = a_new_world(NOW, POLICY).converge()
    for _ in range(3 * MOST):
        world = world.later(WITHIN).with_activity().converge().with_new_instance()
        world = world.later(2 * MINUTE).converge()
        assert world.workstation.state is State.RUNNING

    assert len(world.workstation.replaced_times) <= MOST


# --- what others wrote -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("\x1b[31mred\x1b[0m", "red", id="colours"),
        pytest.param("\x1b]0;title\x07after", "after", id="a terminal's title"),
        pytest.param("a\x00b\x08c\x7f", "abc", id="controls"),
        pytest.param("a\u202eb\u2066c\ufeffd", "abcd", id="what reverses the reading"),
        pytest.param("tab\there", "tab    here", id="tabs"),
        pytest.param(
            "Gr\u00f6\u00dfe \u4e2d \U0001f400",
            "Gr\u00f6\u00dfe \u4e2d \U0001f400",
            id="letters of all kinds",
        ),
        pytest.param("\ud800", "", id="half a character"),
    ],
)
def test_a_line_of_a_log_holds_only_what_can_be_seen(text: str, shown: str) -> None:
    assert last_lines(text) == ((shown,) if shown else ())


def test_of_a_log_the_last_lines_are_kept() -> None:
    log = "\n".join(f"line {n} " + "x" * 500 for n in range(1000))

    kept = last_lines(log)

    assert len(kept) == MOST_LINES
    assert kept[-1].startswith("line 999 ")
    assert {len(line) for line in kept} == {LONGEST_LINE}


@given(st.text(max_size=3000))
def test_whatever_is_written_is_bounded_and_plain(text: str) -> None:
    lines, line = last_lines(text), plain(text)

    assert len(lines) <= MOST_LINES
    assert all(0 < len(each) <= LONGEST_LINE for each in lines)
    assert len(line) <= LONGEST_MESSAGE
    seen = "".join((*lines, line))
    assert not any(unicodedata.category(character).startswith("C") for character in seen)
    seen.encode()
