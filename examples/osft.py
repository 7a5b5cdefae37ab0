"""Orthogonal subspace fine-tuning: each matrix learns in its weakest directions alone, and the run measures that.

python examples/osft.py [MODEL]

The same on the command line:

    python -m training_hub algorithm=osft backend=trl model_path=MODEL data_path=examples/quickstart/train.jsonl \
      unfreeze_rank_ratio=0.25 lr=1e-4 effective_batch_size=4
"""

import sys

from training_hub import osft

MODEL = sys.argv[1] if len(sys.argv) > 1 else "outputs/models/smollm2-135m-instruct"

result = osft(
    model_path=MODEL,
    data_path="examples/quickstart/train.jsonl",
    unfreeze_rank_ratio=0.25,
    lr=1e-4,
    effective_batch_size=4,
    backend="trl",  # without it mini-trainer, which needs CUDA GPUs
)
print(f"loss {result.metrics['first_loss']:.3f} -> {result.metrics['final_loss']:.3f}")
print(f"share of the change that lies in the directions that stay: {result.metrics['leakage_u']:.1e}")
