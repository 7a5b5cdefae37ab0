"""Base classes of the choices: what the checks and the run loop know of an algorithm, a backend and the like."""
