"""Under which conditions may this request go on?  Generations, metagenerations and etags, told what there is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from emulators.cloud_storage.failures import Reason, StorageError
from emulators.cloud_storage.kept.names import is_number


class Versioned(Protocol):
    """What conditions look at."""

    @property
    def generation(self) -> int:
        """Grows with each new content."""

    @property
    def metageneration(self) -> int:
        """Grows with each change of the metadata."""

    @property
    def etag(self) -> str:
        """Names both."""


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The conditions of one request; None where it has none."""

    generation_match: int | None = None
    generation_not_match: int | None = None
    metageneration_match: int | None = None
    metageneration_not_match: int | None = None
    etags: frozenset[str] | None = None
    not_etags: frozenset[str] | None = None
    creates_only: bool = False
    """Whether who asks may make objects, but replace none."""

    def check(self, found: Versioned | None, *, reading: bool = False) -> None:
        """Raise unless they hold: 412 for what does not match, 304 for what must not match but does.

        A writer whose etag must not match is told 412 for that too.
        """
        generation = found.generation if found else 0
        metageneration = found.metageneration if found else 0
        if (
            self.generation_match not in (None, generation)
            or self.metageneration_match not in (None, metageneration)
            or (self.etags is not None and not _names(self.etags, found))
        ):
            raise StorageError(Reason.PRECONDITION, _MESSAGE)
        if self._must_differ(found, generation) or self.metageneration_not_match == metageneration:
            raise StorageError(Reason.NOT_MODIFIED, _MESSAGE)
        if self.not_etags is not None and _names(self.not_etags, found):
            raise StorageError(Reason.NOT_MODIFIED if reading else Reason.PRECONDITION, _MESSAGE)
        # Last: who asks for a new object, and finds one, is told that the condition failed.
        if self.creates_only and found is not None:
            raise StorageError(Reason.DENIED, "To replace an object takes storage.objects.delete access.")

    def _must_differ(self, found: Versioned | None, generation: int) -> bool:
        """Whether ``generation_not_match`` fails: as it does where there is no object at all."""
        if self.generation_not_match is None:
            return False
        return found is None or self.generation_not_match == generation


_MESSAGE = "At least one of the pre-conditions you specified did not hold."


def _names(etags: frozenset[str], found: Versioned | None) -> bool:
    return found is not None and ("*" in etags or found.etag in etags)


def json_preconditions(query: Mapping[str, str], headers: Mapping[str, str]) -> Preconditions:
    """The conditions of a JSON API request on its object or bucket."""
    return Preconditions(
        _number(query, "ifGenerationMatch"),
        _number(query, "ifGenerationNotMatch"),
        _number(query, "ifMetagenerationMatch"),
        _number(query, "ifMetagenerationNotMatch"),
        _etags(headers, "if-match"),
        _etags(headers, "if-none-match"),
    )


def source_preconditions(query: Mapping[str, str]) -> Preconditions:
    """The conditions of a copy on its source."""
    return Preconditions(
        _number(query, "ifSourceGenerationMatch"),
        _number(query, "ifSourceGenerationNotMatch"),
        _number(query, "ifSourceMetagenerationMatch"),
        _number(query, "ifSourceMetagenerationNotMatch"),
    )


def xml_preconditions(headers: Mapping[str, str]) -> Preconditions:
    """The conditions of an XML API request, as its headers say."""
    return Preconditions(
        generation_match=_number(headers, "x-goog-if-generation-match"),
        metageneration_match=_number(headers, "x-goog-if-metageneration-match"),
        etags=_etags(headers, "if-match"),
        not_etags=_etags(headers, "if-none-match"),
    )


def _number(values: Mapping[str, str], name: str) -> int | None:
    text = values.get(name)
    if text is None:
        return None
    if not is_number(text):
        raise StorageError(Reason.INVALID, f"Invalid value for {name}: {text!r}.")
    return int(text)


def _etags(headers: Mapping[str, str], name: str) -> frozenset[str] | None:
    text = headers.get(name)
    if text is None:
        return None
    return frozenset(tag.strip().removeprefix("W/").strip('"') for tag in text.split(","))
