"""Supervised fine-tuning of a low-rank adapter, merged into the model at the end.

python examples/lora_sft.py [MODEL]

The same on the command line:

    python -m training_hub algorithm=lora_sft model_path=MODEL data_path=examples/quickstart/train.jsonl \
      lora_r=16 lr=1e-3 merge=true effective_batch_size=4
"""

import sys

from training_hub import lora_sft

MODEL = sys.argv[1] if len(sys.argv) > 1 else "outputs/models/smollm2-135m-instruct"

result = lora_sft(
    model_path=MODEL,
    data_path="examples/quickstart/train.jsonl",
    lora_r=16,
    lr=1e-3,
    merge=True,  # else the adapter alone is saved, for use with peft on the same model
    effective_batch_size=4,
)
print(f"loss {result.metrics['first_loss']:.3f} -> {result.metrics['final_loss']:.3f}")
print(f"the model: {result.checkpoint_path}")
