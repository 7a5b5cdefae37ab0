"""Supervised fine-tuning of all weights, and what came out of it.

python examples/sft.py [MODEL]        MODEL: a folder in Hugging Face format, or an id on the hub

The same on the command line:

    python -m training_hub algorithm=sft model_path=MODEL data_path=examples/quickstart/train.jsonl \
      eval_data_path=examples/quickstart/eval.jsonl lr=3e-4 num_epochs=2 effective_batch_size=4
"""

import sys

from training_hub import sft

MODEL = sys.argv[1] if len(sys.argv) > 1 else "outputs/models/smollm2-135m-instruct"  # made by `make quickstart`

result = sft(
    model_path=MODEL,
    data_path="examples/quickstart/train.jsonl",
    eval_data_path="examples/quickstart/eval.jsonl",
    lr=3e-4,
    num_epochs=2,
    effective_batch_size=4,
)
print(f"held-out loss {result.metrics['eval_loss_before']:.3f} -> {result.metrics['eval_loss_after']:.3f}")
print(f"the model: {result.checkpoint_path}")
