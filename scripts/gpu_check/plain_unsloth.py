"""What one writes with unsloth alone: model data output steps batch length algorithm."""

import json
import sys

from unsloth import FastLanguageModel  # isort: skip  before the libraries that it changes
import torch
from datasets import Dataset
from trl import SFTConfig, SFTTrainer

path, data, output, steps, batch, length, _ = sys.argv[1:]
cuda = torch.cuda.is_available()
model, tokenizer = FastLanguageModel.from_pretrained(
    path, max_seq_length=int(length), dtype=torch.bfloat16 if cuda else torch.float32, load_in_4bit=False
)
model = FastLanguageModel.get_peft_model(model, r=16, lora_alpha=32)
trainer = SFTTrainer(
    model,
    SFTConfig(
        output_dir=output, max_steps=int(steps), per_device_train_batch_size=int(batch), max_length=int(length),
        learning_rate=1e-5, logging_steps=1, bf16=cuda, use_cpu=not cuda, packing=False, report_to=[],
        save_strategy="no", disable_tqdm=True,
    ),
    train_dataset=Dataset.from_list([json.loads(line) for line in open(data)]),  # noqa: PTH123, SIM115
    processing_class=tokenizer,
)  # fmt: skip
trainer.train()
