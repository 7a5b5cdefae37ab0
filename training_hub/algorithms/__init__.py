"""What the front knows of each algorithm, one module each."""
