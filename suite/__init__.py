"""`./dev test`: which parts a run has, how they are run, and what is said of them at the end."""
