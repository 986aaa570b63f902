"""What to run, and running it: the study file, its plan, the Ray Tune runner and the result store."""
