"""What the results of a study say: Parquet data set -> tidy frames -> tables, figures and one HTML page."""

from analysis.foreign import load_table
from analysis.pool import Results, load

__all__ = ["Results", "load", "load_table"]
