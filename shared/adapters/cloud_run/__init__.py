"""Cloud Run services: what one looks like, how it is scaled, and what is seen of it."""
