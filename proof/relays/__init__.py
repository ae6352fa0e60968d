"""What stands between the product and the emulators: it passes every call on, and tells a tripwire of each."""
