"""`logs`: the end of a run's log."""
