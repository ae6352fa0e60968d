"""Which templates there are, and what a provision asks for, checked whole: every bad field at once."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from shared.domain.errors import InvalidArgument, Violation
from shared.domain.policy import Priority
from shared.domain.quantities import parse_cpu, parse_memory
from shared.domain.rates import Card
from shared.domain.sizes import SIZES, Size, legal
from shared.domain.workstation import Spec

T = TypeVar("T")

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_RESERVED_ENV = re.compile(r"(PORT|HOME|PATH|K_.*|DORMOUSE_.*|GOOGLE_.*|GCE_.*)")
MOST_ENV = 100
LONGEST_ENV_VALUE = 32_768
LARGEST_ENV = 262_144
"""All names and values together; the record has to fit a Firestore document of 1 MiB."""
LONGEST_PROJECT = 128
SHORTEST_TIMEOUT = timedelta(seconds=1)
LONGEST_TIMEOUT = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What a workstation starts from: an image by digest, and the port that the user's program listens on."""

    name: str
    image: str
    memory_default: str = ""
    port: int = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """What may be provisioned here."""

    templates: Mapping[str, Template]
    default_size: Size
    most: Size
    card: Card


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A provision as the caller wrote it; empty strings and None mean the default."""

    project: str
    name: str
    template: str = ""
    size: str = ""
    cpu: str = ""
    memory: str = ""
    priority: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    idle_timeout: timedelta | None = None
    stop_timeout: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    spec: Spec
    warnings: tuple[str, ...]


def check(wish: Wish, catalog: Catalog) -> Checked:
    """The specification that `wish` asks for. Raises InvalidArgument with every violation."""
    bad: list[Violation] = [*_names(wish), *_env(wish), *_timeouts(wish)]
    template = catalog.templates.get(wish.template or "python")
    if template is None:
        bad.append(Violation("template", f"unknown; choose one of {', '.join(sorted(catalog.templates))}"))
    priority = _try("priority", lambda: Priority(wish.priority or "normal"), bad)
    asked = _size(wish, template, catalog, bad)
    if asked is None or template is None or priority is None or bad:
        raise InvalidArgument(
            "The request has fields that cannot be used.", "INVALID_FIELDS", violations=tuple(bad)
        )
    size_name, size, warnings = asked
    spec = Spec(
        template=template.name,
        image=template.image,
        size_name=size_name,
        size=size,
        port=template.port,
        priority=priority,
        env=dict(wish.env),
        idle_timeout=wish.idle_timeout,
        stop_timeout=wish.stop_timeout,
    )
    return Checked(spec, warnings)


def _size(
    wish: Wish, template: Template | None, catalog: Catalog, bad: list[Violation]
) -> tuple[str, Size, tuple[str, ...]] | None:
    """A template's own default wins over the general one, a size over that, explicit amounts over that."""
    if wish.size and wish.size not in SIZES:
        bad.append(Violation("size", f"unknown; choose one of {', '.join(SIZES)}"))
        return None
    named = SIZES.get(wish.size, catalog.default_size)
    memory_text = wish.memory or ("" if wish.size or template is None else template.memory_default)
    cpu = _try("cpu", lambda: parse_cpu(wish.cpu) if wish.cpu else named.cpu, bad)
    memory = _try("memory", lambda: parse_memory(memory_text) if memory_text else named.memory, bad)
    if cpu is None or memory is None:
        return None
    found = _try("size", lambda: legal(Size(cpu, memory), catalog.most), bad)
    if found is None:
        return None
    name = next((name for name, size in SIZES.items() if size == found.size), "custom")
    return name, found.size, found.warnings if wish.size or wish.cpu or wish.memory else ()


def _try(name: str, parse: Callable[[], T], bad: list[Violation]) -> T | None:
    try:
        return parse()
    except (InvalidArgument, ValueError) as error:
        bad.append(Violation(name, str(error)))
        return None


def _names(wish: Wish) -> list[Violation]:
    bad = []
    if not _NAME.fullmatch(wish.name):
        bad.append(
            Violation("name", "1 to 63 characters: a lower-case letter, then letters, digits or hyphens")
        )
    if not 1 <= len(wish.project) <= LONGEST_PROJECT or not wish.project.isprintable():
        bad.append(Violation("project", f"1 to {LONGEST_PROJECT} printable characters"))
    return bad


def _env(wish: Wish) -> list[Violation]:
    bad = []
    if len(wish.env) > MOST_ENV:
        bad.append(Violation("env", f"at most {MOST_ENV} variables"))
    if sum(len(text.encode(errors="replace")) for pair in wish.env.items() for text in pair) > LARGEST_ENV:
        bad.append(Violation("env", f"at most {LARGEST_ENV} bytes in all"))
    for name, value in wish.env.items():
        if not _ENV_NAME.fullmatch(name):
            bad.append(Violation(f"env[{name[:40]!r}]", "a name has letters, digits and underscores"))
        elif _RESERVED_ENV.fullmatch(name):
            bad.append(Violation(f"env.{name}", "reserved; choose another name"))
        if len(value.encode(errors="replace")) > LONGEST_ENV_VALUE or "\0" in value:
            bad.append(Violation(f"env[{name[:40]!r}]", f"at most {LONGEST_ENV_VALUE} bytes without NUL"))
    return bad


def _timeouts(wish: Wish) -> list[Violation]:
    asked = {"idleTimeout": wish.idle_timeout, "stopTimeout": wish.stop_timeout}
    bad = [
        Violation(name, "between 1s and 86400s")
        for name, value in asked.items()
        if value is not None and not SHORTEST_TIMEOUT <= value <= LONGEST_TIMEOUT
    ]
    if wish.idle_timeout and wish.stop_timeout and wish.idle_timeout > wish.stop_timeout:
        bad.append(Violation("idleTimeout", "at most the stopTimeout: it goes IDLE first, then STOPPED"))
    return bad
