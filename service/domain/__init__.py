"""What statements mean: pure values and functions, without clock, database or web."""
