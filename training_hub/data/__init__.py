"""The one path from a file to token ids and labels, shared by every backend.

`check` looks at the rows in the submitting process, without any heavy import; `prepare` tokenises them in the worker.
"""
