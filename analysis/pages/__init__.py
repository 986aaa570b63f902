"""What all reports share: the page, its tables and figures, and how numbers and names become words."""
