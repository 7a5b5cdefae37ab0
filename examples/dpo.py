"""Direct preference optimisation: pairs are made from the quickstart's conversations, and the model learns to prefer.

The chosen answer is the right one, the rejected one is the answer to the conversation that follows.

python examples/dpo.py [MODEL]

The same on the command line, once the pairs are there:

    python -m training_hub algorithm=dpo model_path=MODEL data_path=outputs/pairs.jsonl eval_fraction=0.2 \
      lr=1e-5 effective_batch_size=4 max_steps=8
"""

import json
import sys
from itertools import pairwise
from pathlib import Path

from training_hub import dpo

MODEL = sys.argv[1] if len(sys.argv) > 1 else "outputs/models/smollm2-135m-instruct"
PAIRS = Path("outputs/pairs.jsonl")

lines = Path("examples/quickstart/train.jsonl").read_text().splitlines()
conversations = [json.loads(line)["messages"] for line in lines]
PAIRS.parent.mkdir(exist_ok=True)
with PAIRS.open("w") as file:
    for right, other in pairwise(conversations):
        pair = {"prompt": right[:-1], "chosen": right[-1:], "rejected": other[-1:]}
        print(json.dumps(pair), file=file)

result = dpo(
    model_path=MODEL,
    data_path=PAIRS,
    eval_fraction=0.2,
    lr=1e-5,
    effective_batch_size=4,
    max_steps=8,
)
for name in ("eval_accuracy", "eval_margin"):
    print(f"{name} {result.metrics[f'{name}_before']:.3f} -> {result.metrics[f'{name}_after']:.3f}")
