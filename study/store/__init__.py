"""The result store, the only one that writes and reads its files: rows, checkpoints, claims."""
