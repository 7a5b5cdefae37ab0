"""`status`: the state of runs."""
