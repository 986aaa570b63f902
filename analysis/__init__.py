"""What the results of a study say: Parquet data set -> tidy frames -> tables, figures and one HTML page."""

from analysis.results.from_store import Results, load
from analysis.results.from_table import load_table

__all__ = ["Results", "load", "load_table"]
