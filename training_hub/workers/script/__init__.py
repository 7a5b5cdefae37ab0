"""Run a library's own training script: prepare its rows, start it, follow its metrics, gather its checkpoints.

Importing this package imports neither torch nor any backend library.
"""
