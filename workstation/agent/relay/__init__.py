"""Everything that is not the agent's own goes to the user's web port as bytes."""
