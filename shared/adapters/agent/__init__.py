"""The agents inside the workstations, over HTTP: tokens, calls, and answers that are believed only so far."""
