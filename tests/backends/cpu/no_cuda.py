"""What both libraries ask of torch.cuda, answered by a CPU."""

import resource

import torch

torch.cuda.set_device = lambda *_: None
torch.cuda.empty_cache = lambda: None
torch.cuda.reset_peak_memory_stats = lambda *_: None
torch.cuda.max_memory_allocated = lambda *_: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
torch.cuda.memory_allocated = lambda *_: 0
torch.cuda.memory_stats = lambda *_: {"num_alloc_retries": 0}
torch.cuda.current_device = lambda: torch.device("cpu")


class Torch:
    """torch for one module: `torch.device("cuda", 0)` is the CPU."""

    def __getattr__(self, name):
        return getattr(torch, name)

    @staticmethod
    def device(*words):
        return torch.device("cpu") if str(words[0]).startswith("cuda") else torch.device(*words)
