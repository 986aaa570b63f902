"""The robustness report: which methods hold up over their seeds."""
