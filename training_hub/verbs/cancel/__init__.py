"""`cancel`: ask runs to save and stop, or end them at once."""
