"""What a run will cost: memory, from shapes alone, and time, from a few real steps."""
