"""Results as tidy frames: from a store of ours, or from a table that came from elsewhere."""
