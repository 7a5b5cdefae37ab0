"""instructlab-training: accelerate on a CPU, without bfloat16; where flash attention is wanted, sdpa on packed rows."""

import os

os.environ["ACCELERATE_USE_CPU"] = "true"

import accelerate
import no_cuda
import torch
from instructlab.training import accelerator, batch_loss_manager, model, sampler

torch.Tensor.cuda = lambda self: self
batch_loss_manager.torch = no_cuda.Torch()
model.Model.supports_flash_attention = staticmethod(lambda: True)
model.needs_sdpa = lambda *_, **__: True

genuine_accelerator, genuine_prepare = accelerator.TransformersAccel, accelerate.Accelerator.prepare_model
accelerator.TransformersAccel = lambda **named: genuine_accelerator(**named | {"mixed_precision": "no"})


def prepare_model(self, prepared, *rest, **named):
    """The library prepares its model twice, which FSDP takes and DistributedDataParallel does not."""
    wrapped = isinstance(prepared, torch.nn.parallel.DistributedDataParallel)
    return prepared if wrapped else genuine_prepare(self, prepared, *rest, **named)


accelerate.Accelerator.prepare_model = prepare_model

genuine_state_dict = accelerate.Accelerator.get_state_dict
# FSDP gives the weights of a model to save their own names, DistributedDataParallel puts `module.` before them.
accelerate.Accelerator.get_state_dict = lambda self, whole, unwrap=True: genuine_state_dict(
    self, whole if isinstance(whole, torch.nn.Module) else whole.module
)

genuine_loader = sampler.get_data_loader
sampler.get_data_loader = lambda **named: genuine_loader(**named | {"num_workers": 0})
