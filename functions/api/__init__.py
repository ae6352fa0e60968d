"""The HTTP API: what a Firebase user may ask."""
