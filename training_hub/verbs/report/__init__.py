"""One page about runs, in a file that needs nothing else."""
