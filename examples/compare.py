"""Three algorithms on one data set: the same rows, the same number of steps, each at a rate that suits it.

python examples/compare.py [MODEL]
"""

import sys

from training_hub import lora_sft, osft, sft

MODEL = sys.argv[1] if len(sys.argv) > 1 else "outputs/models/smollm2-135m-instruct"
SAME = {
    "model_path": MODEL,
    "data_path": "examples/quickstart/train.jsonl",
    "eval_data_path": "examples/quickstart/eval.jsonl",
    "effective_batch_size": 4,
    "max_steps": 12,
    "backend": "trl",
}

results = {
    "sft": sft(**SAME, lr=1e-4),
    "lora_sft": lora_sft(**SAME, lr=1e-3),
    "osft": osft(**SAME, lr=1e-4, unfreeze_rank_ratio=0.25),
}
print(f"{'':10}{'before':>8}{'after':>8}{'seconds':>9}   held-out loss")
for name, result in results.items():
    before, after = result.metrics["eval_loss_before"], result.metrics["eval_loss_after"]
    print(f"{name:10}{before:8.3f}{after:8.3f}{result.duration_s:9.1f}")
