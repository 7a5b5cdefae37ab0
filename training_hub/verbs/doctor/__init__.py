"""`doctor`: this machine against what the chosen algorithm and backend need."""
