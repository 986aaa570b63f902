"""What one trial does: search methods, spaces, benchmark tables, data sets and the Ray trainable around them."""
