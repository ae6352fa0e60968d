"""CPU and memory as people write them; typed, so that the two never mix.

`500m` CPU is half a core, `512m` memory is 512 MiB.
"""

import re
from typing import NewType

from shared.domain.errors import InvalidArgument

MilliCpu = NewType("MilliCpu", int)
MemoryMib = NewType("MemoryMib", int)

_CPU = re.compile(r"(?P<cores>\d{1,4}(?:\.\d{1,3})?)|(?P<milli>\d{1,6})m", re.ASCII)
_MEMORY = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,3})?)(?P<unit>Mi|Gi|m|g|mb|gb)", re.ASCII)
_MIB_PER_UNIT = {"Mi": 1, "m": 1, "mb": 1, "Gi": 1024, "g": 1024, "gb": 1024}


def parse_cpu(text: str) -> MilliCpu:
    """`0.5`, `500m` or `2` as thousandths of a core. Raises InvalidArgument."""
    match = _CPU.fullmatch(text.strip())
    milli = 0
    if match:
        milli = int(match["milli"]) if match["milli"] else round(float(match["cores"]) * 1000)
    if milli < 1:
        raise InvalidArgument(f"{text!r} is not an amount of CPU; write for example 1, 0.5 or 500m.")
    return MilliCpu(milli)


def parse_memory(text: str) -> MemoryMib:
    """`512Mi`, `512m`, `1Gi` or `1g` as whole MiB, rounded up. Raises InvalidArgument, also for `256M` and `1G`,

    which Kubernetes and Docker read differently.
    """
    match = _MEMORY.fullmatch(text.strip())
    mib = 0
    if match:
        thousandths = round(float(match["number"]) * 1000) * _MIB_PER_UNIT[match["unit"]]
        mib = -(-thousandths // 1000)
    if mib < 1:
        raise InvalidArgument(
            f"{text!r} is not an amount of memory; write for example 512Mi, 1Gi, 512m or 1g."
        )
    return MemoryMib(mib)
