"""What other tools call a setting, and what to use here: the source of messages and of docs/guides/coming-from.md.

An answer is an imperative that may follow a semicolon. Names are in backticks; a setting in them can be typed as it is.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

_BATCH = "set `effective_batch_size` (rows per step) and `max_tokens_per_gpu` (memory)"
_RESUME = "use `resume=auto`, or `python -m training_hub resume DIR`"
_LOGGERS = "choose loggers, such as `logger=[jsonl,wandb]`"
_ADAPTER = "choose `algorithm=lora_sft`"
_OPTIMIZER = "name the optimizer of transformers, such as `recipe.optim=adafactor`"
_EVERY_TOKEN = "use `data.train_on=all`"
_LABELS = "drop it: the loss is on the assistant's tokens; `data.train_on=all` trains every token"
_MIXED = "drop it: bfloat16 is used if the machine supports it; or set `recipe.bf16=true`"
_LIGER = "drop it: `backend=trl` has a fused loss of its own"
_RATIO = "give the number of steps: `warmup_steps=10`"
_TEMPLATE = "drop it, the model's own chat template is used; another one is `data.chat_template=FILE`"
_COLUMNS = "name the column of the conversation, `data.messages_column=conversation`, or rename the columns"
_EXPERIMENT = "put the settings into an experiment: `--config-dir FOLDER experiment=NAME`"
_SHARDING = "drop it: the weights are not sharded yet, each GPU holds a copy"
_NOT_HERE = "not available; choose from the algorithms of `python -m training_hub list`"
_DATA = "give a file, a folder or an id on the hub: `data_path=train.jsonl`"
_CONTINUES = "choose `algorithm=sft`, `algorithm=lora_sft`, `algorithm=osft` or `algorithm=dpo`"

# Names, separated by commas -> what to use. A name stands here once, whichever tools have it.
_ANSWERS = {
    # model and data
    "model_name_or_path, base_model, model_name, model, pretrained_model_name_or_path, checkpoint_dir":
        "use `model_path=MODEL`",
    "tokenizer, tokenizer_name, tokenizer_config, tokenizer_name_or_path":
        "drop it: the tokenizer comes with the model",
    "model_revision": "use `model.revision=main`",
    "torch_dtype, dtype": "use `model.dtype=bfloat16`, the type of the weights",
    "dataset, datasets, dataset_name, dataset_path, train_file, train_data, dataset_dir, dataset_id": _DATA,
    "dataset_config, dataset_train_split, dataset_test_split, split":
        "save the part as a file and give its path: `data_path=train.jsonl`",
    "dataset_text_field, text_column": "use `document_column_name=text`",
    "dataset_type, type": "drop it, the format is recognised, or set `data.format=alpaca`",
    "field_messages, messages_field, message_field": "use `data.messages_column=conversation`",
    "field_instruction, field_input, field_output, message_property_mappings": _COLUMNS,
    "data_output_dir, dataset_prepared_path, preprocessed_dataset_path, tokenized_path":
        "use `data.cache_dir=DIR`: prepared rows are cached by content",
    "use_processed_dataset": "drop it: rows with `input_ids` and `labels` are recognised, or set `data.format=tokens`",
    "preprocessing_num_workers, dataset_num_proc, dataset_processes, data_process_num_cpu_procs":
        "use `data.num_proc=8`",
    "max_samples, num_samples": "give a file with that number of rows",
    "shuffle_merged_datasets, shuffle": "drop it: rows are shuffled in every epoch by `seed`",
    "streaming": "drop it: prepared rows are read from disk as they are needed",
    "template, chat_template, chat_template_path, chat_template_jinja, chat_tmpl_path": _TEMPLATE,
    "train_on_inputs, train_on_prompt, train_on_input": _EVERY_TOKEN,
    "assistant_only_loss, completion_only_loss, train_on_completions_only, train_on_responses_only": _LABELS,
    "roles_to_train": "use `data.train_on=[assistant,user]`",
    "mask_history": "drop it: every answer of a conversation is trained",
    # length and batch
    "max_length, max_seq_length, sequence_len, cutoff_len, seq_len, seq_length, block_len": "use `max_seq_len=2048`",
    "micro_batch_size, per_device_train_batch_size, per_device_eval_batch_size, gradient_accumulation_steps, "
    "per_gpu_train_batch_size, batch_size, train_batch_size, global_batch_size, eval_batch_size, "
    "auto_find_batch_size, group_by_length, micro_batch_size_per_gpu": _BATCH,
    "max_batch_len": "use `max_tokens_per_gpu=8192`",
    "sample_packing, multipack, neat_packing, padding_free, packed, pad_to_sequence_len, eval_sample_packing":
        "use `packing=true`, the default: packed rows do not attend to each other",
    # optimisation
    "num_train_epochs, epochs, max_epochs, n_epochs": "use `num_epochs=3`",
    "max_steps_per_epoch": "use `max_steps=100`, over all epochs",
    "num_steps, total_steps, iters": "use `max_steps=100`",
    "lr_scheduler_type, scheduler, lr_schedule": "use `lr_scheduler=cosine`",
    "warmup_ratio": _RATIO,
    "num_warmup_steps, warmup": "use `warmup_steps=10`",
    "optim, optimizer, optim_name": _OPTIMIZER,
    "optim_args": "name each argument of the library: `recipe.NAME=VALUE`",
    "adam_beta1, adamw_beta1": "use `beta1=0.9`",
    "adam_beta2, adamw_beta2": "use `beta2=0.95`",
    "adam_epsilon, adamw_eps": "use `eps=1e-8`",
    "adamw_weight_decay": "use `weight_decay=0.01`",
    "gradient_clip_val, clip_grad, gradient_clipping": "use `max_grad_norm=1.0`",
    "random_seed, data_seed, random_state": "use `seed=42`",
    "neftune_noise_alpha, noisy_embedding_alpha": "not available; drop it",
    # speed and memory
    "bf16, fp16, tf32, mixed_precision, pure_bf16, fp32, precision": _MIXED,
    "flash_attention, flash_attn, flash_attn_2, use_flash_attention_2, attn_implementation, sdp_attention, "
    "xformers_attention, attn_impl, disable_flash_attn": "use `model.attn_implementation=flash_attention_2`",
    "activation_checkpointing, use_gradient_checkpointing, enable_activation_checkpointing, "
    "gradient_checkpointing_kwargs": "use `gradient_checkpointing=true`",
    "use_liger, use_liger_kernel, use_liger_kernels, enable_liger_kernel, liger": _LIGER,
    "torch_compile, compile": "drop it: nothing is compiled",
    "fsdp, fsdp_config, fsdp_options, deepspeed, deepspeed_config, deepspeed_options, zero_stage, "
    "cpu_offload, cpu_offload_optimizer, enable_model_splitting, device_map": _SHARDING,
    "tensor_parallel_size, context_parallel_size, sequence_parallel_degree": _SHARDING,
    # adapters
    "use_peft, lora, finetuning_type, peft_type, tuner_type, train_type, use_lora, adapter_type": _ADAPTER,
    "qlora, use_qlora": "use `algorithm=lora_sft load_in_4bit=true`",
    "r, rank, lora_rank, lora_dim": "use `lora_r=16`",
    "alpha": "use `lora_alpha=32`",
    "lora_target, lora_target_modules, lora_attn_modules, lora_target_linear, lora_modules":
        "use `target_modules=[q_proj,v_proj]`; null is every linear layer except the head",
    "lora_modules_to_save, modules_to_save, additional_target": "use `adapter.peft.modules_to_save=[lm_head]`",
    "peft_use_dora, dora": "use `use_dora=true`",
    "peft_use_rslora, rslora": "use `use_rslora=true`",
    "quantization_bit, quantization, quant_bits, use_4bit": "use `load_in_4bit=true` or `load_in_8bit=true`",
    "use_unsloth": "choose `backend=unsloth`",
    "finetune_vision_layers, finetune_language_layers, finetune_attention_modules, finetune_mlp_modules":
        "name the modules: `target_modules=[q_proj,v_proj]`",
    "merge_lora, merge_adapter": "use `merge=true`, or `python -m training_hub export RUN output_dir=DIR`",
    "unfreeze_ratio, osft_unfreeze_rank_ratio": "use `unfreeze_rank_ratio=0.25`",
    "osft": "choose `algorithm=osft`",
    "osft_target_patterns": "use `target_patterns=[q_proj]`",
    # what is trained
    "stage, rl, rlhf_type, training_method, method, task_type": _CONTINUES,
    "rl_beta, pref_beta, dpo_beta": "use `beta=0.1`",
    "pref_loss, dpo_loss_type": "use `loss_type=sigmoid`",
    "ref_model, reference_model, ref_model_path": "drop it: the reference is the model that the run starts from",
    # saving, resuming, evaluating
    "save_dir, out_dir, ckpt_dir": "use `output_dir=DIR`",
    "save_strategy, saves_per_epoch": "use `save_steps=100`, or `checkpoint_at_epoch=true`",
    "save_samples, save_every, checkpoint_every": "use `save_steps=50`, in optimizer steps",
    "save_only_model, accelerate_full_state_at_epoch":
        "use `checkpoint_at_epoch=true`: on `backend=trl` every checkpoint has the full state",
    "save_last, save_last_checkpoint": "use `save_final_checkpoint=true`",
    "keep_last_checkpoint_only, keep_checkpoints": "use `save_total_limit=1`",
    "load_best_model_at_end, save_best_val_loss":
        "choose `callbacks=[early_stopping]`, which keeps the best checkpoint",
    "early_stopping, early_stopping_patience":
        "use `callbacks=[early_stopping]` and `callbacks.early_stopping.patience=3`",
    "enable_jit_checkpoint, on_demand_checkpointing":
        "drop it: SIGTERM always saves and stops, and `resume=auto` resumes",
    "checkpoint_storage, remote_storage": "not available; give `output_dir` a folder of a mounted volume",
    "resume_from_checkpoint, auto_resume_from_checkpoints, resume_checkpoint, restart": _RESUME,
    "overwrite_output_dir, overwrite_output": "use `overwrite=true`",
    "val_set_size, val_size, validation_split, test_size, eval_split": "use `eval_fraction=0.05`",
    "test_datasets, eval_dataset, validation_data_path, eval_file, valid_data":
        "use `eval_data_path=eval.jsonl`",
    "eval_strategy, evaluation_strategy, evals_per_epoch, validation_frequency, do_eval, eval_every":
        "use `eval_steps=100`, in optimizer steps",
    "do_train, do_predict": "drop it: the verb selects the action",
    # logging
    "report_to, use_wandb, use_tensorboard, use_mlflow, log_with, use_swanlab": _LOGGERS,
    "run_name": "use `logger.wandb.name=NAME`, or name the folder: `output_dir=DIR`",
    "wandb_name, wandb_run_id": "use `logger.wandb.name=NAME`",
    "logging_dir": "use `logger.tensorboard.log_dir=DIR`",
    "log_level, logging_level, log_every_n_steps, logging_strategy":
        "use `logging_steps=10`; the log is in the run directory",
    "plot_loss": "drop it: every run plots its loss; `python -m training_hub plot DIR` plots more",
    # where it runs
    "num_processes, num_gpus, n_gpus, nproc, gpus, devices": "use `nproc_per_node=8`",
    "num_machines, num_nodes, n_nodes": "use `nnodes=2`",
    "machine_rank": "use `node_rank=0`",
    "main_process_ip": "use `master_addr=HOST`",
    "main_process_port": "use `master_port=29500`",
    "cuda_visible_devices": "set CUDA_VISIBLE_DEVICES in the environment",
    "push_to_hub, hub_model_id, hub_token, hub_strategy": "export the run, then upload the folder with `hf upload`",
    "config, config_file, config_name, cn, config_path, cp, recipe_file, yaml": _EXPERIMENT,
    "experimental_rerun": _RESUME,
    "quiet, silent, disable_tqdm": "use `verbose=false`",
}  # fmt: skip


_NUMBER = re.compile(r"[\d.]+(e-?\d+)?")
_RENAMED = re.compile(rf"use `([\w.]+)={_NUMBER.pattern}`")


class Tool(NamedTuple):
    """A section of the page: rows are names that the table answers, or what is typed there and what here."""

    title: str
    column: str
    rows: tuple[str | tuple[str, str], ...]
    intro: str = ""


TOOLS = (
    Tool(
        "From the Training Hub of Red Hat AI Innovation",
        "there",
        (
            ("default backends: `instructlab-training` for sft, `unsloth` for lora_sft",
             "`backend=trl` for both, on a CPU too; the others are available under the same names"),
            ("unknown arguments are dropped or passed on", "an error"),
            ("`ckpt_output_dir`, `learning_rate`", "the same; aliases of `output_dir` and `lr`"),
            "data_output_dir", "micro_batch_size, gradient_accumulation_steps, per_device_eval_batch_size",
            "sample_packing", "flash_attention", "bf16, fp16, tf32", "dataset_type", "field_messages",
            "field_instruction, field_input, field_output", "save_samples", "accelerate_full_state_at_epoch",
            "enable_jit_checkpoint", "checkpoint_storage", "use_processed_dataset", "use_liger",
            "enable_model_splitting", "finetune_vision_layers, finetune_language_layers",
            ("lora_sft trains on prompts as well", "on the answers; `data.train_on=all` for both"),
            ("returns None, or live objects", "a result: status, checkpoint, metrics, run directory, seconds"),
            ("`thub sft --num-epochs 2`", "`python -m training_hub algorithm=sft num_epochs=2`"),
            ("`grpo`, `lora_grpo`, `gepa`, `embedding_sft`", "not available"),
        ),
        "The functions `sft`, `osft` and `lora_sft`, `create_algorithm`, the registry and the base classes have the "
        "same\nnames and take the same first arguments; most scripts run as they are. What differs:",
    ),
    Tool(
        "From TRL",
        "`trl sft`, `SFTConfig`",
        (
            "model_name_or_path", "dataset_name", "lr_scheduler_type", "num_train_epochs",
            "per_device_train_batch_size, gradient_accumulation_steps", "max_length", "padding_free",
            "dataset_text_field",
            "assistant_only_loss, completion_only_loss", "use_peft", "lora_target_modules",
            ("`gradient_checkpointing` (on there)", "`gradient_checkpointing=true` (off here)"),
            "optim", "bf16, fp16", "use_liger_kernel", "warmup_ratio", "eval_strategy", "save_strategy", "report_to",
            "run_name", "load_best_model_at_end", "resume_from_checkpoint", "push_to_hub", "neftune_noise_alpha",
            ("`trl dpo --beta --loss_type`", "`algorithm=dpo beta=0.1 loss_type=sigmoid`"),
            ("`accelerate launch --num_processes 8`", "`nproc_per_node=8`"),
        ),
    ),
    Tool(
        "From axolotl",
        "axolotl's YAML",
        (
            "base_model", "datasets", "val_set_size", "test_datasets", "sequence_len", "sample_packing",
            "micro_batch_size, gradient_accumulation_steps", "warmup_ratio", "optimizer",
            ("`adapter: lora`, `adapter: qlora`", "`algorithm=lora_sft`, and `load_in_4bit=true`"),
            "lora_target_modules, lora_target_linear", "lora_modules_to_save", "train_on_inputs", "roles_to_train",
            "chat_template_jinja", "flash_attention", "bf16, tf32", "saves_per_epoch", "evals_per_epoch",
            "rl", "rl_beta", "use_wandb", "dataset_prepared_path", "deepspeed, fsdp", "auto_resume_from_checkpoints",
            ("`axolotl train x.yaml --lr 1e-5`", "`python -m training_hub experiment=quickstart lr=1e-5`"),
            ("`axolotl preprocess --debug`", "`python -m training_hub validate ...`"),
            ("`axolotl merge-lora`", "`python -m training_hub export RUN output_dir=DIR`"),
        ),
    ),
    Tool(
        "From LLaMA-Factory",
        "LLaMA-Factory's YAML",
        (
            "model_name_or_path", "stage", "finetuning_type", "dataset, dataset_dir", "template", "cutoff_len",
            "per_device_train_batch_size, gradient_accumulation_steps", "num_train_epochs", "lr_scheduler_type",
            "warmup_ratio", "lora_rank", "lora_target", "quantization_bit", "train_on_prompt", "mask_history",
            "val_size",
            "pref_beta", "pref_loss", "use_unsloth", "enable_liger_kernel", "preprocessing_num_workers", "plot_loss",
            "overwrite_output_dir", "resume_from_checkpoint", "do_train",
            ("`llamafactory-cli train x.yaml`", "`python -m training_hub experiment=quickstart`"),
            ("`llamafactory-cli export`", "`python -m training_hub export RUN output_dir=DIR`"),
        ),
    ),
    Tool(
        "From unsloth",
        "unsloth's notebooks",
        (
            "model_name", "max_seq_length", "r", "random_state", "use_gradient_checkpointing",
            "train_on_responses_only",
            "finetune_vision_layers, finetune_language_layers",
            "per_device_train_batch_size, gradient_accumulation_steps",
            ("`lora_alpha`, `lora_dropout`, `use_rslora`, `load_in_4bit`", "the same"),
            ("`FastLanguageModel.from_pretrained(...)`, `SFTTrainer(...).train()`",
             "`algorithm=lora_sft backend=unsloth`"),
            ("`save_pretrained_merged(...)`", "`python -m training_hub export RUN output_dir=DIR`"),
        ),
    ),
    Tool(
        "From torchtune",
        "torchtune's YAML",
        (
            ("a recipe: `full_finetune_single_device`, `lora_finetune_distributed`",
             "`algorithm=sft`, `algorithm=lora_sft`; how many processes: `nproc_per_node=8`"),
            ("`checkpointer.checkpoint_dir`, `model._component_`",
             "`model_path=MODEL`: any causal language model that transformers loads"),
            "tokenizer", "dataset", "train_on_input", "batch_size, gradient_accumulation_steps", "optimizer", "epochs",
            "max_steps_per_epoch", "lora_rank", "lora_attn_modules", "dtype", "enable_activation_checkpointing",
            "resume_from_checkpoint", "compile",
            ("`tune cp`, `tune run --config x.yaml epochs=2`",
             "a file in a folder `experiment`: `python -m training_hub experiment=quickstart num_epochs=2`"),
            ("`tune validate`", "`python -m training_hub explain ...`, which checks values too"),
        ),
    ),
)  # fmt: skip


def answer(name: str, value: str = "") -> str:
    """What to use for a name of another tool, as plain text; "" for a name that none has.

    Case and dashes do not matter: `--per-device-train-batch-size` is the same name. value: the number that was typed,
    which takes the place of the example where only the name differs.
    """
    text = _by_name().get(name.strip("-").replace("-", "_").lower(), "")
    if (renamed := _RENAMED.fullmatch(text)) and _NUMBER.fullmatch(value):
        return f"use {renamed[1]}={value}"
    return text.replace("`", "")


@cache
def _by_name() -> dict[str, str]:
    return {name.strip(): text for names, text in _ANSWERS.items() for name in names.split(",")}


def row(entry: str | tuple[str, str]) -> tuple[str, str]:
    """One line of the page: the names there, and what to use here. KeyError for a name without an answer."""
    if not isinstance(entry, str):
        return entry
    names = [name.strip() for name in entry.split(",")]
    answers = dict.fromkeys(_by_name()[name] for name in names)
    return ", ".join(f"`{name}`" for name in names), "; ".join(answers)
