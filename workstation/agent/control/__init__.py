"""What the control plane may do here, and how it proves to be the control plane."""
