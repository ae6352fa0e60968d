"""The agent: the one program of ours inside a workstation. It ships alone and imports nothing of the rest."""
