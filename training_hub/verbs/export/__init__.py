"""`export` and `interpolate`: a checkpoint as a plain model for others, or a mixture of two."""
