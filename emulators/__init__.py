"""The local cloud: independent emulators of the Google services that the product uses."""
