"""`env`: environments of backends, each with the libraries of one, made by uv from the versions in its lock."""
