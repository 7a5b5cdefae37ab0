"""On the path of a test's processes: a rank of a library's script finds a CPU where it asks for CUDA.

The libraries are the genuine ones, run end to end; only their calls of CUDA and NCCL are redirected. The front, the
worker and torchrun are left alone.
"""

import sys

SCRIPTS = {"mini_trainer.train": "mini_trainer_on_cpu", "instructlab.training.main_ds": "instructlab_on_cpu"}

words = sys.orig_argv
module = words[words.index("-m") + 1] if "-m" in words[:-1] else None
if module in SCRIPTS:
    __import__(SCRIPTS[module])
