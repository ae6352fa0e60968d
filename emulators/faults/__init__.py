"""What goes wrong, and when?  Faults by rule, for any emulator: set by an endpoint or a file."""
