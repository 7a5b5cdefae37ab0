"""`explain`: what each parameter becomes."""
