"""Does it hold under kill -9? Stories of a workstation on a local cloud whose parts are killed, and what is left then.

An independent oracle: it imports nothing of the product, and reads what is left through Google's own clients.
"""
