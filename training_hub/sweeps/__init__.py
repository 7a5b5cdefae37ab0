"""Many runs from one command: expand, check all, then a queue on this machine or the jobs of a launcher's scheduler."""
