"""Containers of a Docker engine: bounded by its kernel, cut off from each other, found again and removed by label."""
