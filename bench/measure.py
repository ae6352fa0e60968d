"""How is something measured on a machine that others use too? In turns with its peer, and by the median."""

import statistics
import time
from collections.abc import Callable

Action = Callable[[], object]


def rates(ours: Action, peer: Action, *, rounds: int, seconds: float) -> tuple[float, float]:
    """How often each can be done in a second, one after the other."""
    return in_turns(lambda: rate(ours, seconds), lambda: rate(peer, seconds), rounds)


def times(ours: Callable[[], float], peer: Callable[[], float], rounds: int) -> tuple[float, float]:
    """What each says that it took."""
    return in_turns(ours, peer, rounds)


def in_turns(ours: Callable[[], float], peer: Callable[[], float], rounds: int) -> tuple[float, float]:
    """The medians of both, a round of each after a round of the other; the first, which warms up, is not counted."""
    pairs = [(ours(), peer()) for _ in range(rounds + 1)][1:]
    return statistics.median(one for one, _ in pairs), statistics.median(other for _, other in pairs)


def rate(action: Action, seconds: float) -> float:
    """How often in a second."""
    count, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        action()
        count += 1
    return count / passed


def milliseconds(action: Action) -> float:
    """How long it takes once."""
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000
