"""What a step of training holds in memory, found by going through one whose numbers are never computed."""
