"""What a service is and which changes are legal; pure, and told the time."""
