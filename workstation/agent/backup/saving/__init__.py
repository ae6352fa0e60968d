"""From a workspace to a backup."""
