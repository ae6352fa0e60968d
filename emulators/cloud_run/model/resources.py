"""Which CPU, memory, concurrency and execution environment go together?

The tables are those of the pages Configure CPU limits and Configure memory limits; the words of the refusals are
Cloud Run's where somebody has published them.
"""

from __future__ import annotations

from google.cloud.run_v2 import types as run

from emulators.cloud_run.model.messages import TemplateMessage
from emulators.cloud_run.model.quantities import GIB, MIB, cpu_millis, memory_bytes
from emulators.cloud_run.model.violations import Violations

MAX_CONCURRENCY = 1000
DEFAULT_CONCURRENCY = 80
DEFAULT_LIMITS = (("cpu", "1000m"), ("memory", "512Mi"))
GPU = "nvidia.com/gpu"
_GEN2 = int(run.ExecutionEnvironment.EXECUTION_ENVIRONMENT_GEN2)
_ONE_CPU = 1000
_SMALLEST_CPU = 80
_WHOLE_CPUS = (1000, 2000, 4000, 6000, 8000)
_SMALLEST_MEMORY = 128 * MIB
# Of the second generation, and of whatever has its CPU all the time.
_SMALLEST_LASTING_MEMORY = 512 * MIB
_LEAST_MEMORY = {4000: 2 * GIB, 6000: 4 * GIB, 8000: 4 * GIB}
# The most memory for so many thousandths of a CPU or fewer.
_MOST_MEMORY = (
    (499, 512 * MIB),
    (999, 1 * GIB),
    (1000, 4 * GIB),
    (2000, 8 * GIB),
    (4000, 16 * GIB),
    (6000, 24 * GIB),
    (8000, 32 * GIB),
)


def default_concurrency(template: TemplateMessage) -> int:
    """80 where every container has a whole CPU, else 1."""
    return DEFAULT_CONCURRENCY if all(_has_whole_cpu(c) for c in template.containers) else 1


def check_resources(template: TemplateMessage, found: Violations) -> None:
    """Refuse what an instance of the template's first container cannot have; defaults are filled in."""
    _check_concurrency(template.max_instance_request_concurrency, found)
    limits = template.containers[0].resources.limits
    at = found.within("containers[0].resources.limits")
    for name in sorted(set(limits) - {name for name, _ in DEFAULT_LIMITS} - {GPU}):
        at.add(name, "Only memory, cpu and nvidia.com/gpu can be limited.")
    if GPU in limits:
        at.lack(GPU, "This emulator has no GPU.")
    cpu = at.read("cpu", cpu_millis, limits["cpu"])
    memory = at.read("memory", memory_bytes, limits["memory"])
    if cpu is not None and _check_cpu(cpu, template, at) and memory is not None:
        _check_memory(memory, cpu, template, at)


def _has_whole_cpu(container: TemplateMessage) -> bool:
    try:
        return cpu_millis(container.resources.limits["cpu"]) >= _ONE_CPU
    except ValueError:
        return True


def _check_concurrency(concurrency: int, found: Violations) -> None:
    if not 1 <= concurrency <= MAX_CONCURRENCY:
        found.add("max_instance_request_concurrency", f"It must be between 1 and {MAX_CONCURRENCY}.")


def _check_cpu(cpu: int, template: TemplateMessage, found: Violations) -> bool:
    """Whether the number itself is one that Cloud Run has."""
    if not _SMALLEST_CPU <= cpu < _ONE_CPU and cpu not in _WHOLE_CPUS:
        found.add("cpu", "Invalid value specified for cpu. It must be 1, 2, 4, 6 or 8, or from 0.08 to 1.")
        return False
    if cpu < _ONE_CPU:
        for reason in _against_a_part_of_a_cpu(template):
            found.add(
                "cpu", f"Invalid value specified for cpu. Total cpu < 1 is not supported with {reason}."
            )
    return True


def _against_a_part_of_a_cpu(template: TemplateMessage) -> list[str]:
    reasons = []
    if template.max_instance_request_concurrency > 1:
        reasons.append("concurrency > 1")
    if not template.containers[0].resources.cpu_idle:
        reasons.append("cpu always allocated (unthrottled)")
    if template.execution_environment == _GEN2:
        reasons.append("gen2 execution environment")
    return reasons


def _check_memory(memory: int, cpu: int, template: TemplateMessage, found: Violations) -> None:
    least = _LEAST_MEMORY.get(cpu, _SMALLEST_MEMORY)
    most = next(limit for cpus, limit in _MOST_MEMORY if cpu <= cpus)
    if not least <= memory <= most:
        found.add(
            "memory",
            f"Invalid value specified for memory. For {cpu / 1000:.3g} CPU, memory must be between "
            f"{least // MIB}Mi and {most // MIB}Mi inclusive.",
        )
    elif memory < _SMALLEST_LASTING_MEMORY and (reason := _against_little_memory(template)):
        found.add(
            "memory",
            f"Invalid value specified for memory. Total memory < 512 Mi is not supported with {reason}.",
        )


def _against_little_memory(template: TemplateMessage) -> str:
    if template.execution_environment == _GEN2:
        return "gen2 execution environment"
    if not template.containers[0].resources.cpu_idle:
        return "cpu always allocated (unthrottled)"
    return ""
