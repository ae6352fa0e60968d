"""Reading an environment: text into values with units, and what is wrong with it as sentences."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TypeVar

from shared.domain.errors import DormouseError
from shared.domain.money import Micros

T = TypeVar("T")


class Environ:
    """Reads settings one by one and keeps what is wrong with them; a bad one reads as its default."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str, default: str) -> str:
        return self._environ.get(name) or default

    def required(self, name: str) -> str:
        if not self._environ.get(name):
            self.problems.append(f"{name} is not set.")
        return self._environ.get(name, "")

    def flag(self, name: str, default: bool) -> bool:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        return self.parsed(name, str(default), lambda text: words[text.lower()], "true or false")

    def minutes(self, name: str, default: float) -> timedelta:
        return self._duration(name, default, timedelta(minutes=1), "minutes")

    def seconds(self, name: str, default: float) -> timedelta:
        return self._duration(name, default, timedelta(seconds=1), "seconds")

    def hours(self, name: str, default: float) -> timedelta:
        return self._duration(name, default, timedelta(hours=1), "hours")

    def days(self, name: str, default: float) -> timedelta:
        return self._duration(name, default, timedelta(days=1), "days")

    def _duration(self, name: str, default: float, unit: timedelta, word: str) -> timedelta:
        return self.parsed(
            name, str(default), lambda text: _positive(text) * unit, f"{word} above 0, such as {default:g}"
        )

    def dollars(self, name: str, default: float) -> Micros:
        return self.parsed(
            name,
            str(default),
            lambda text: Micros(round(_positive(text) * 1_000_000)),
            "dollars such as 5 or 0.25",
        )

    def parsed(self, name: str, default: str, parse: Callable[[str], T], wanted: str) -> T:
        text = self._environ.get(name) or default
        try:
            return parse(text)
        except (ValueError, KeyError, OverflowError, DormouseError):
            self.problems.append(f"{name} is {text!r}; it takes {wanted}.")
            return parse(default)


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1_000_000:
        raise ValueError(text)
    return number
