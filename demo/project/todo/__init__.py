"""A to-do list that remembers."""
