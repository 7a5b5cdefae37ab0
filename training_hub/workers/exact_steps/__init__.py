"""Trainers whose optimizer step is exactly so many rows, however it is split over micro-batches and processes."""
