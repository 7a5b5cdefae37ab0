"""What every verb needs of the command line: its declaration, flags, settings and help."""
