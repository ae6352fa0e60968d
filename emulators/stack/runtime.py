"""On what do workstations run here, and what does each template start from? Containers, or plain processes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from emulators.cloud_run.runtime.docker.engine import why_unusable
from emulators.stack.component import StackError
from emulators.stack.options import Options
from tools import image, template
from tools.venv import SetupFailed

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Runtime:
    """`images` by template, as services name them; `commands` by image, what stands for it where it is a process."""

    name: str
    images: Mapping[str, str]
    commands: Mapping[str, str] = field(default_factory=dict)


def choose_runtime(options: Options, say: Say) -> Runtime:
    """The one that was asked for; of "auto" Docker where it can be had. Raises StackError."""
    if options.runtime == "process":
        return _processes(options)
    try:
        return _docker(say)
    except SetupFailed as failure:
        if options.runtime == "docker":
            raise StackError(f"Workstations cannot run on Docker. {failure}") from failure
        say(f"Workstations run as plain processes, without isolation: {failure}")
        return _processes(options)


def _docker(say: Say) -> Runtime:
    if why := why_unusable(with_doors=True):
        raise SetupFailed(f"{why[0].upper()}{why[1:]}; ./dev doctor says how to get an engine.")
    missing = set(template.NAMES) - {name for name, _ in image.built()}
    if missing:
        say(f"Building the images of {', '.join(sorted(missing))}: once, some minutes ...")
    return Runtime("docker", {name: image.build(name).reference for name in template.NAMES})


def _processes(options: Options) -> Runtime:
    try:
        built = template.build()
    except SetupFailed as failure:
        raise StackError(f"The workstation templates cannot be built. {failure}") from failure
    # Services of the run before may still start from an older one.
    commands = {known.image: known.command for known in template.known()}
    return Runtime("process", {each.name: each.image for each in built}, commands | dict(options.images))
