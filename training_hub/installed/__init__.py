"""What is installed, here or where a worker runs: read from files, and imported only once it is chosen."""
