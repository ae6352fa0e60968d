"""What counts as a busy process, and from when on that is known; nothing here waits, time is told."""

from agent.activity.cpu import Busy, CpuShares, Process
from agent.activity.processes import parse_stat


def process(pid, cpu, *, reaped=0.0, parent=1, born=None):
    return Process(pid, born or pid * 10, parent, f"p{pid}", cpu, reaped)


def watch(shares, seconds, make, begin=0):
    """Sample once a second for so long; return the last verdict."""
    for second in range(begin, begin + seconds + 1):
        verdict = shares.observe(make(second), 1.0)
    return verdict


def test_without_processes_the_answer_is_no_at_once():
    assert CpuShares().observe([], None).busy is Busy.NO


def test_a_process_is_unknown_for_five_thawed_seconds_then_busy_above_two_percent():
    shares = CpuShares()
    assert watch(shares, 4, lambda s: [process(7, s * 0.03)]).busy is Busy.UNKNOWN

    verdict = watch(shares, 0, lambda s: [process(7, s * 0.03)], begin=5)

    assert verdict.busy is Busy.YES
    assert [(cause.pid, cause.name, cause.cpu_percent) for cause in verdict.causes] == [(7, "p7", 3.0)]


def test_a_waiting_process_is_not_busy_after_five_thawed_seconds():
    assert watch(CpuShares(), 5, lambda s: [process(7, s * 0.015)]).busy is Busy.NO


def test_a_freeze_neither_adds_time_nor_hides_work():
    """Over wall time the child would look idle; over thawed time it is at 100 %."""
    shares = CpuShares()
    watch(shares, 6, lambda s: [process(7, float(s))])

    assert shares.observe([process(7, 6.02)], None).busy is Busy.YES


def test_short_thaws_between_freezes_never_add_up_to_knowledge():
    shares = CpuShares()
    verdicts = {shares.observe([process(7, s * 0.01)], None).busy for s in range(100)}

    assert verdicts == {Busy.UNKNOWN}


def test_a_process_that_went_quiet_is_forgotten_with_the_window():
    shares = CpuShares()
    assert watch(shares, 30, lambda s: [process(7, float(s))]).busy is Busy.YES
    assert watch(shares, 62, lambda _: [process(7, 30.0)], begin=31).busy is Busy.NO


def test_many_short_children_make_their_parent_busy():
    """A build of compilers that live for less than a sample: only the parent's reaped time shows them."""
    verdict = watch(CpuShares(), 6, lambda s: [process(7, 0.0, reaped=s * 0.9)])

    assert [cause.pid for cause in verdict.causes] == [7]


def test_a_long_child_that_ends_is_not_charged_to_its_parent_again():
    shares = CpuShares()
    watch(shares, 70, lambda s: [process(7, 0.0), process(8, min(s, 2) * 5.0, parent=7)])

    assert watch(shares, 6, lambda _: [process(7, 0.0, reaped=10.0)], begin=71).busy is Busy.NO


def test_a_loop_around_sleep_is_not_unknown_for_ever():
    shares = CpuShares()
    verdict = watch(shares, 8, lambda s: [process(7, 0.001 * s), process(100 + s, 0.001, parent=7)])

    assert verdict.busy is Busy.NO


def test_a_young_child_that_works_makes_a_known_parent_unknown_again():
    shares = CpuShares()
    watch(shares, 8, lambda _: [process(7, 0.0)])

    assert shares.observe([process(7, 0.0), process(8, 0.5, parent=7)], 1.0).busy is Busy.UNKNOWN


def test_a_reused_pid_is_another_process():
    shares = CpuShares()
    watch(shares, 10, lambda s: [process(7, float(s), born=1)])

    assert shares.observe([process(7, 0.0, born=2)], 1.0).busy is Busy.UNKNOWN


def test_a_loop_of_parents_ends():
    shares = CpuShares()

    assert shares.observe([process(7, 0.0, parent=8), process(8, 0.0, parent=7)], 1.0).busy is Busy.UNKNOWN


def test_a_name_with_brackets_and_spaces_is_read():
    text = "42 (a) b (c)) S 7 " + " ".join(["0"] * 9) + " 250 50 100 0 " + "0 0 0 0 999 " + "0 " * 20

    state, found = parse_stat(text)

    assert (state, found.pid, found.name, found.parent, found.born) == ("S", 42, "a) b (c)", 7, 999)
    assert (found.cpu_seconds, found.reaped_seconds) == (3.0, 1.0)
