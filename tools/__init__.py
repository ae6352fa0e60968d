"""Programs for whoever works on Dormouse; nothing here is deployed."""
