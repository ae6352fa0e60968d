"""HTTP as every function speaks it: routes with their access, decoding, errors, OpenAPI."""
