"""Loggers, fed from the run directory by a process of their own beside the worker, whatever backend trains.

Importing this package imports none of their clients.
"""
