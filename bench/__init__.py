"""What does it cost beside the best that this machine can do? Ratios, each measured side by side in one run."""
