"""What the front knows of each library that trains, one module each."""
