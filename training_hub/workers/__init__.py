"""The worker's side of the backends, one package per library: imported in the process that trains alone."""
