"""Entry points: decode, one use case, encode. The only place that knows HTTP codes."""
