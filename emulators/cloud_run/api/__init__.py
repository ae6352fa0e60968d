"""The HTTP surface: the Admin API v2 and the observer's endpoints."""
