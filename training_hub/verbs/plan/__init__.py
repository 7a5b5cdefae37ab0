"""`plan`: what train would do."""
