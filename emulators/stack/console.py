"""What a person at the terminal reads: one table of what runs where, one line of the workstation."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tools.venv import ROOT


def table(components: Mapping[str, Mapping[str, str]], health: Mapping[str, str] | None = None) -> str:
    """Name, address and log of every component, and how it is when that was asked."""
    head = ["name", "address", *(["health"] if health is not None else []), "log"]
    rows = [
        [name, part["address"], *([health[name]] if health is not None else []), _short(part["log"])]
        for name, part in components.items()
    ]
    return _aligned([head, *rows])


def runtime_line(runtime: str) -> str:
    """What workstations are here."""
    kinds = {"docker": "containers of the Docker engine", "process": "plain processes, without isolation"}
    return f"Workstations are {kinds[runtime]}."


def workstation_line(workstation: Mapping[str, Any], gateway: str) -> str:
    """State, address and price of a workstation."""
    name = f"{workstation['project']}/{workstation['displayName']}"
    price = _dollars(workstation["cost"]["hourlyRunning"])
    return (
        f"Workstation {name} is {workstation['state']} at {price} an hour: {gateway}/w/{workstation['id']}/"
    )


def _dollars(money: Mapping[str, Any]) -> str:
    """A google.type.Money as people write it."""
    return f"${int(money['units']) + int(money['nanos']) / 1e9:.4f}"


def _short(path: str) -> str:
    inside = Path(path).is_relative_to(ROOT)
    return str(Path(path).relative_to(ROOT)) if inside else path


def _aligned(rows: Iterable[list[str]]) -> str:
    lines = list(rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )
    return "\n".join(f"  {line}".rstrip() for line in padded)
