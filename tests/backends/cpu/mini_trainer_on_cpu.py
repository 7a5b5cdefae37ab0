"""mini-trainer: gloo instead of NCCL, a mesh of CPUs, products in float32 instead of bfloat16."""

import no_cuda
import torch
import torch.distributed as dist
from mini_trainer import osft_utils, setup_model_for_training, utils

utils.torch = osft_utils.torch = no_cuda.Torch()


def init_distributed_environment():
    dist.init_process_group("gloo")
    utils.check_distributed_is_synchronized()
    utils.check_distributed_is_evenly_configured()


utils.init_distributed_environment = init_distributed_environment

genuine_mesh, genuine_policy = setup_model_for_training.init_device_mesh, setup_model_for_training.MixedPrecisionPolicy
setup_model_for_training.init_device_mesh = lambda _device, *rest, **named: genuine_mesh("cpu", *rest, **named)
setup_model_for_training.MixedPrecisionPolicy = lambda **named: genuine_policy(**named | {"param_dtype": torch.float32})
