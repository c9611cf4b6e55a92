"""What tracks mean: zones entered and left, lines crossed, counts."""
