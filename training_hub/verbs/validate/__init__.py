"""`validate`: prepare the data and show it."""
