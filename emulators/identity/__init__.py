"""Who is calling?  Service accounts, their tokens and their keys, as Google gives and publishes them."""
