"""The backup engine: a workspace as content-addressed packs and a manifest, and back. Knows no server, no clock of ours.

Usable alone: `python -m agent.backup --help`. The form of what it stores is in docs/backups.md.
"""
