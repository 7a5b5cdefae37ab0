"""One declaration for each trainer: what the client, the worker and the memory estimate have to know of it."""
