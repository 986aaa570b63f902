"""Running a plan on Ray Tune: batches, their places, what is asked next, how a run ends and what it shows."""
