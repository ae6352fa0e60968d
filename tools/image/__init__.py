"""`./dev image`: the workstations' images, built from what a registry or this machine has; says what is in them."""

from tools.image.build import Built, build, built

__all__ = ["Built", "build", "built"]
