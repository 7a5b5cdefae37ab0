"""Arguments of TRL's and transformers' config classes that the worker sets itself.

Each with the parameter to use instead; "" where there is none.
"""

_DATA = "data.format, data.train_on and max_seq_len"
_SPLIT = "effective_batch_size and max_tokens_per_gpu"

# Set for every trainer, by what surrounds it: `training_hub.workers.loop`.
LOOP: dict[str, str] = {
    # where
    "output_dir": "output_dir",
    "disable_tqdm": "",
    "report_to": "logger",
    # the model
    "model_init_kwargs": "model.dtype, model.attn_implementation and model.revision",
    "trust_remote_code": "trust_remote_code",
    "chat_template_path": "data.chat_template",
    "eos_token": "",
    "pad_token": "",
    # the rows: they reach the trainer as token ids and labels
    "dataset_text_field": _DATA,
    "dataset_kwargs": _DATA,
    "dataset_num_proc": "data.num_proc",
    "max_length": "max_seq_len",
    "truncation_mode": "data.too_long",
    "completion_only_loss": "data.train_on",
    "assistant_only_loss": "data.train_on",
    "remove_unused_columns": "",
    "label_names": "",
    "length_column_name": "",
    "data_seed": "seed",
    # the split of a step into micro-batches
    "packing": "packing",
    "packing_strategy": "packing",
    "padding_free": "packing",
    "eval_packing": "packing",
    "pad_to_multiple_of": "packing",
    "per_device_train_batch_size": _SPLIT,
    "per_device_eval_batch_size": "max_tokens_per_gpu",
    "gradient_accumulation_steps": _SPLIT,
    "eval_accumulation_steps": "max_tokens_per_gpu",
    "auto_find_batch_size": "max_tokens_per_gpu",
    "dataloader_pin_memory": "",
    "parallelism_config": "",
    # the loss and what is measured
    "logging_nan_inf_filter": "",
    "include_num_input_tokens_seen": "",
    "include_for_metrics": "",
    "batch_eval_metrics": "",
    "prediction_loss_only": "",
    "eval_do_concat_batches": "",
    "eval_use_gather_object": "",
    "eval_on_start": "backend.eval_at_start",
    "skip_memory_metrics": "",
    # how the processes share the work, and what becomes of the model
    "fsdp": "nproc_per_node",
    "fsdp_config": "nproc_per_node",
    "deepspeed": "nproc_per_node",
    "enable_jit_checkpoint": "",
    "push_to_hub": "",
    "hub_token": "",
    "hub_private_repo": "",
    "hub_model_id": "",
    "hub_strategy": "",
    "hub_always_push": "",
    "hub_revision": "",
    # one decision for a whole run
    "resume_from_checkpoint": "",
    "do_train": "",
    "do_eval": "eval_data_path or eval_fraction",
    "do_predict": "",
    "local_rank": "nproc_per_node",
}

# Not reserved, but derived: the recipe, or the worker under an older name, takes their values from these parameters.
DERIVED: dict[str, str] = {
    "activation_checkpointing": "gradient_checkpointing",
    "logging_strategy": "logging_steps",
    "eval_strategy": "eval_steps",
    "save_strategy": "save_steps or checkpoint_at_epoch",
}

# Set as well where a step is exact, however it is split: `training_hub.workers.exact_steps`.
EXACT_STEPS: dict[str, str] = {
    **LOOP,
    "shuffle_dataset": "seed",
    "train_sampling_strategy": "seed",
    "average_tokens_across_devices": "",
    "dataloader_drop_last": "",
    "dataloader_num_workers": "",
    "dataloader_persistent_workers": "",
    "dataloader_prefetch_factor": "",
    "dataloader_multiprocessing_context": "",
    "dataloader_in_order": "",
    "accelerator_config": "",
    "loss_type": "",
    "label_smoothing_factor": "",
    "neftune_noise_alpha": "",
    "router_aux_loss_coef": "",
    "bf16_full_eval": "",
    "fp16_full_eval": "",
    "torch_empty_cache_steps": "",
    "use_cache": "",
}
