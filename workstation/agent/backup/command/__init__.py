"""`python -m agent.backup`: the engine for a person at a terminal."""
