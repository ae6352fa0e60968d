"""Shells that outlive the sockets of those who look at them."""
