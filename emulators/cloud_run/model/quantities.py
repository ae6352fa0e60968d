"""How much is `512Mi` or `500m`? Kubernetes quantities of memory (bytes) and CPU (thousandths)."""

from __future__ import annotations

import re
from fractions import Fraction

MIB = 1024 * 1024
GIB = 1024 * MIB
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 1024, "Mi": MIB, "Gi": GIB}
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)(|k|M|G|Ki|Mi|Gi)")
_CPU = re.compile(r"(\d+)m|(\d+(?:\.\d{1,3})?)")


def memory_bytes(text: str) -> int:
    """Bytes of a memory quantity such as `512Mi` or `1.5Gi`; ValueError when it is none."""
    match = _MEMORY.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is not a memory quantity; write it like 512Mi or 1Gi.")
    return int(Fraction(match[1]) * _UNITS[match[2]])


def cpu_millis(text: str) -> int:
    """Thousandths of a CPU of a quantity such as `1`, `0.5` or `500m`; ValueError when it is none."""
    match = _CPU.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is not a CPU quantity; write it like 1, 2 or 500m.")
    return int(match[1]) if match[1] else int(Fraction(match[2]) * 1000)
