"""What the program finds around itself: the machine, the processes on it, the cluster it belongs to."""
