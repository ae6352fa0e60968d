"""Which sizes a workstation may have on Cloud Run, and what an unlawful wish is rounded up to.

Below one CPU Cloud Run serves one request at a time, so an open terminal would block everything else;
the second-generation environment needs 512 MiB. (google-cloud.md, section 2.2.)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shared.domain.errors import InvalidArgument
from shared.domain.quantities import MemoryMib, MilliCpu


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """What one instance gets."""

    cpu: MilliCpu
    memory: MemoryMib


SIZES: Mapping[str, Size] = MappingProxyType(
    {
        "light": Size(MilliCpu(1000), MemoryMib(512)),
        "medium": Size(MilliCpu(1000), MemoryMib(1024)),
        "heavy": Size(MilliCpu(2000), MemoryMib(2048)),
        "ml": Size(MilliCpu(4000), MemoryMib(8192)),
    }
)

_LEGAL_MEMORY: Mapping[int, tuple[int, int]] = MappingProxyType(
    {1000: (512, 4096), 2000: (512, 8192), 4000: (2048, 16384), 6000: (4096, 24576), 8000: (4096, 32768)}
)


@dataclass(frozen=True, slots=True)
class Legal:
    """A size that Cloud Run takes, and what was changed to get there, in words for the user."""

    size: Size
    warnings: tuple[str, ...]


def legal(wish: Size, most: Size) -> Legal:
    """The smallest legal size that gives at least `wish`. Raises InvalidArgument where that passes `most`."""
    cpu = _cpu_for(wish)
    size = Size(cpu, MemoryMib(max(wish.memory, _LEGAL_MEMORY[cpu][0])))
    if size.cpu > most.cpu or size.memory > most.memory:
        raise InvalidArgument(
            f"{describe(wish)} is more than one workstation may have here ({describe(most)}); choose a smaller size.",
            reason="SIZE_TOO_LARGE",
        )
    return Legal(size, () if size == wish else (f"{describe(wish)} was rounded up to {describe(size)}.",))


def _cpu_for(wish: Size) -> MilliCpu:
    for cpu, (_, most_memory) in _LEGAL_MEMORY.items():
        if cpu >= wish.cpu and most_memory >= wish.memory:
            return MilliCpu(cpu)
    raise InvalidArgument(
        f"{describe(wish)} is more than any Cloud Run instance has; choose a smaller size.",
        reason="SIZE_TOO_LARGE",
    )


def describe(size: Size) -> str:
    return f"{size.cpu / 1000:g} vCPU with {size.memory} MiB"
