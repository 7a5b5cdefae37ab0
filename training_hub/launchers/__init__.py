"""What starts the workers: on this machine, or as a job of a scheduler."""
