"""Dice that fall the same way in every run."""

import random


class SeededEntropy:
    """Repeatable, and so worth nothing against an attacker."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311

    def bytes(self, count: int) -> bytes:
        """The next bytes of the sequence."""
        return self._random.randbytes(count)

    def jitter(self) -> float:
        """The next number in [0, 1)."""
        return self._random.random()
