"""From a backup to a workspace, and whether it could be done."""
