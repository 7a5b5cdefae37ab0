"""What surrounds any trainer: load, checkpoint, call back, stop, count, save. See `run_loop`."""
