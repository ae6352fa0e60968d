"""Which instances a service has right now, and what each of them is doing."""
