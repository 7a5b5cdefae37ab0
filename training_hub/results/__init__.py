"""What became of runs, read from their directories and shown: state, progress, curves, pictures."""
