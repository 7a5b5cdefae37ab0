"""`list`: algorithms, backends and their pairs."""
