"""Does a container engine answer here?"""

from functools import cache

_PATIENCE_SECONDS = 3


@cache
def why_no_engine() -> str:
    """Why none can be used, or nothing when one answers."""
    import docker  # noqa: PLC0415 - only who asks pays for it

    try:
        docker.from_env(timeout=_PATIENCE_SECONDS).ping()
    except docker.errors.DockerException as failure:
        return f"no container engine answers ({str(failure)[:200]}); start dockerd, or see ./dev doctor"
    return ""
