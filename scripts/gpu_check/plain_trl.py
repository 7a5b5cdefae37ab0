"""What one writes with TRL alone: model data output steps batch length algorithm."""

import json
import sys

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

model, data, output, steps, batch, length, algorithm = sys.argv[1:]
cuda = torch.cuda.is_available()
adapter = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
trainer = SFTTrainer(
    AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32 if algorithm == "sft" else torch.bfloat16),
    SFTConfig(
        output_dir=output, max_steps=int(steps), per_device_train_batch_size=int(batch), max_length=int(length),
        learning_rate=1e-5, logging_steps=1, bf16=cuda, use_cpu=not cuda, gradient_checkpointing=False, packing=False,
        report_to=[], save_strategy="no", disable_tqdm=True,
    ),
    train_dataset=Dataset.from_list([json.loads(line) for line in open(data)]),  # noqa: PTH123, SIM115
    processing_class=AutoTokenizer.from_pretrained(model),
    peft_config=adapter if algorithm == "lora_sft" else None,
)  # fmt: skip
trainer.train()
