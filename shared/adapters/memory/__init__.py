"""Every port without a network: for tests and simulation; nothing outlives the process."""
