"""How far does a downscoped token reach?  Credential Access Boundaries, as STS and Cloud Storage read them."""
