"""What happens to objects by themselves, by the clock."""
