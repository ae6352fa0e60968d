"""One workstation's whole life, told step by step: what was done, and what was seen of it in the emulators themselves.

Every step speaks to the product as a user would, through its API and its gateway alone. What it claims is looked up
where it happened: in Cloud Run, Cloud Storage and Firestore, through Google's own clients.
"""
