"""The user's files over HTTP."""
