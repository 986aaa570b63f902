"""The DARTS cell space: a normal and a reduction cell of 14 edges and eight operations."""
