"""The comparison report: which method is better, by how much, and what the seeds cannot decide."""
