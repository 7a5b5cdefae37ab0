"""Many runs from one command: expand, check all, then a queue on this machine or a job array on a cluster."""
