"""The request front: one listening socket for each service, relaying bytes to its instances."""
