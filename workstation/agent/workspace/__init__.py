"""The user's files: how they come in, how they go out, and whether they changed."""
