"""Amounts as a reader wants them; every one is counted in millionths of a dollar."""

from collections.abc import Mapping
from typing import Any


def micros(money: Mapping[str, Any]) -> int:
    """A google.type.Money in millionths."""
    return int(money["units"]) * 1_000_000 + int(money["nanos"]) // 1000


def dollars(amount: int) -> str:
    """`$0.000966`: all six decimals, because a short life costs little."""
    return f"${amount / 1_000_000:.6f}"
