"""A Cloud Run emulator: Admin API v2 over REST, a request front for each service, and instances as processes.

It is an independent oracle: it answers as Cloud Run does, so that a mistake of its client shows.
"""
