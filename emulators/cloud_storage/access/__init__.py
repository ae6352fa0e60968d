"""Who asks, and may they: bearer tokens and signed URLs."""
