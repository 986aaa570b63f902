"""Search spaces: the cells a method chooses among, and the networks built from them."""
