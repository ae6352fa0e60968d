"""How bytes come in: at once, in parts, or over broken connections."""
