"""Tabular look-up: the known accuracies of every cell, and the importers of the files they come from."""
