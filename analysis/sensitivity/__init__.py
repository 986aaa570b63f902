"""The sensitivity report: what hyperparameters do to the methods, and what tuning them is worth."""
