"""Commands that the user runs, with or without being there to watch."""
