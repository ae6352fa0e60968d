"""What a backup looks like in a store: names, bounds, entries, packs, manifests."""
