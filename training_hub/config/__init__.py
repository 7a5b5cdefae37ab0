"""From what the user typed to a checked, resolved config; nothing heavy is imported and nothing is written."""
