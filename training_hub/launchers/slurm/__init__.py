"""SLURM: a job runs `batch` on its first node, which starts `node` on each by srun, which starts the workers.

These two run where the worker's libraries are and import nothing else; the other modules belong to the front.
"""
