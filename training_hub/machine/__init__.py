"""What the program finds around itself: the machine, and the processes on it."""
