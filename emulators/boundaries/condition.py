"""Does this condition hold for this resource?  The part of CEL that availability conditions are written in.

It knows ``resource.name``, ``resource.type``, ``resource.service`` and ``api.getAttribute(name, default)``, their
``startsWith``, ``endsWith``, ``==`` and ``!=`` with texts, and ``&&``, ``||``, ``!`` and parentheses.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LONGEST = 2048
"""Characters of an expression."""
_DEEPEST = 50
"""Parentheses and negations within each other."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
    r"""|(?P<word>[A-Za-z_][A-Za-z0-9_.]*)|(?P<sign>&&|\|\||==|!=|[!(),.]))"""
)
_VARIABLES = ("resource.name", "resource.type", "resource.service")


class BadConditionError(ValueError):
    """An expression that is wrong, or beyond what is understood here."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is about, in the words of conditions."""

    name: str
    """Such as ``projects/_/buckets/BUCKET/objects/OBJECT``."""
    type: str = "storage.googleapis.com/Object"
    service: str = "storage.googleapis.com"
    attributes: Mapping[str, str] = field(default_factory=dict)


Condition = Callable[[Asked], bool]
_Text = Callable[[Asked], str]


def parse_condition(expression: str) -> Condition:
    """The condition that the expression says; raises BadConditionError."""
    if len(expression) > LONGEST:
        raise BadConditionError(f"the expression is longer than {LONGEST} characters")
    reader = _Reader(_tokens(expression))
    condition = reader.any_of()
    if (rest := reader.peek()) is not None:
        raise BadConditionError(f"{rest!r} is not expected there")
    return condition


def _tokens(expression: str) -> list[str]:
    tokens, at, text = [], 0, expression.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadConditionError(f"{text[at : at + 20]!r} is not understood")
        tokens.append(match[0].strip())
        at = match.end()
    return tokens


class _Reader:
    """Recursive descent over the tokens: any of all of terms."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def peek(self) -> str | None:
        """The next token; None at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def any_of(self) -> Condition:
        """Conditions joined by ||."""
        choices = [self._all_of()]
        while self._take("||"):
            choices.append(self._all_of())
        return lambda asked: any(choice(asked) for choice in choices)

    def _all_of(self) -> Condition:
        terms = [self._term()]
        while self._take("&&"):
            terms.append(self._term())
        return lambda asked: all(term(asked) for term in terms)

    def _term(self) -> Condition:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise BadConditionError(f"it is nested more than {_DEEPEST} deep")
        term = self._nested_term()
        self._depth -= 1
        return term

    def _nested_term(self) -> Condition:
        if self._take("!"):
            negated = self._term()
            return lambda asked: not negated(asked)
        if self._take("("):
            inner = self.any_of()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        left, method = self._value()
        if method:
            self._expect("(")
            argument, _ = self._value()
            self._expect(")")
            if method == "startsWith":
                return lambda asked: left(asked).startswith(argument(asked))
            return lambda asked: left(asked).endswith(argument(asked))
        sign = self._next()
        right, _ = self._value()
        if sign == "==":
            return lambda asked: left(asked) == right(asked)
        if sign == "!=":
            return lambda asked: left(asked) != right(asked)
        raise BadConditionError(f"{sign!r} is not understood as a comparison")

    def _value(self) -> tuple[_Text, str]:
        """A text, and the method that is called on it, if any."""
        word = self._next()
        if word[0] in "'\"":
            literal = re.sub(r"\\(.)", r"\1", word[1:-1])
            return (lambda _: literal), self._method()
        subject, dot, method = word.rpartition(".")
        if word == "api.getAttribute":
            return self._attribute(), self._method()
        if word in _VARIABLES:
            return _variable(word), ""
        if dot and subject in _VARIABLES and method in ("startsWith", "endsWith"):
            return _variable(subject), method
        raise BadConditionError(f"{word!r} is not understood")

    def _attribute(self) -> _Text:
        self._expect("(")
        name, _ = self._value()
        self._expect(",")
        default, _ = self._value()
        self._expect(")")
        return lambda asked: asked.attributes.get(name(asked), default(asked))

    def _method(self) -> str:
        if not self._take("."):
            return ""
        method = self._next()
        if method not in ("startsWith", "endsWith"):
            raise BadConditionError(f"{method!r} is not understood as a function of a text")
        return method

    def _next(self) -> str:
        token = self.peek()
        if token is None:
            raise BadConditionError("it ends too early")
        self._at += 1
        return token

    def _take(self, sign: str) -> bool:
        found = self.peek() == sign
        self._at += found
        return found

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise BadConditionError(f"{sign!r} is expected instead of {self.peek()!r}")


def _variable(name: str) -> _Text:
    attribute = name.removeprefix("resource.")
    return lambda asked: str(getattr(asked, attribute))
