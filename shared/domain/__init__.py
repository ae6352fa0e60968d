"""The pure core: states, decisions, money, names. Told the time; no I/O, no clock, no logging."""
