"""Made by scripts/function_stubs.py from the parameters; run it again after a change."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Literal

from training_hub.algorithms.dpo import DPOAlgorithm as DPOAlgorithm
from training_hub.algorithms.lora_sft import LoRASFTAlgorithm as LoRASFTAlgorithm
from training_hub.algorithms.osft import OSFTAlgorithm as OSFTAlgorithm
from training_hub.algorithms.sft import SFTAlgorithm as SFTAlgorithm
from training_hub.backends.instructlab_training import InstructLabTrainingSFTBackend as InstructLabTrainingSFTBackend
from training_hub.backends.mini_trainer import MiniTrainerOSFTBackend as MiniTrainerOSFTBackend
from training_hub.callbacks import EarlyStopping as EarlyStopping
from training_hub.callbacks import TrainingHubCallback as TrainingHubCallback
from training_hub.callbacks import TrainingHubContext as TrainingHubContext
from training_hub.callbacks import TrainingHubControl as TrainingHubControl
from training_hub.errors import ConfigError as ConfigError
from training_hub.errors import RunFailed as RunFailed
from training_hub.errors import RunInterrupted as RunInterrupted
from training_hub.interfaces.algorithm import Algorithm as Algorithm
from training_hub.interfaces.backend import Backend as Backend
from training_hub.registry import AlgorithmRegistry as AlgorithmRegistry
from training_hub.registry import create_algorithm as create_algorithm
from training_hub.results.plot import plot_loss as plot_loss
from training_hub.run import RunDir as RunDir
from training_hub.run import TrainResult as TrainResult
from training_hub.verbs.estimate.function import estimate as estimate

__version__: str
__all__ = [
    "Algorithm",
    "AlgorithmRegistry",
    "Backend",
    "ConfigError",
    "DPOAlgorithm",
    "EarlyStopping",
    "InstructLabTrainingSFTBackend",
    "LoRASFTAlgorithm",
    "MiniTrainerOSFTBackend",
    "OSFTAlgorithm",
    "RunDir",
    "RunFailed",
    "RunInterrupted",
    "SFTAlgorithm",
    "TrainResult",
    "TrainingHubCallback",
    "TrainingHubContext",
    "TrainingHubControl",
    "__version__",
    "create_algorithm",
    "dpo",
    "estimate",
    "lora_sft",
    "osft",
    "plot_loss",
    "sft",
]

def dpo(
    model_path: str | PathLike[str],
    data_path: str | PathLike[str],
    ckpt_output_dir: str | PathLike[str] | None = None,
    *,
    eval_data_path: str | PathLike[str] | None = None,
    eval_fraction: float | None = None,
    output_dir: str | PathLike[str] | None = None,
    overwrite: bool | None = None,
    resume: bool | str | None = None,
    trust_remote_code: bool | None = None,
    trust: bool | None = None,
    strict: bool | None = None,
    verbose: bool | None = None,
    num_epochs: float | None = None,
    max_steps: int | None = None,
    effective_batch_size: int | None = None,
    max_seq_len: int | None = None,
    max_tokens_per_gpu: int | None = None,
    packing: bool | None = None,
    learning_rate: float | None = None,
    lr: float | None = None,
    lr_scheduler: str | None = None,
    lr_scheduler_kwargs: Mapping[str, Any] | None = None,
    warmup_steps: int | None = None,
    beta1: float | None = None,
    beta2: float | None = None,
    eps: float | None = None,
    weight_decay: float | None = None,
    max_grad_norm: float | None = None,
    seed: int | None = None,
    gradient_checkpointing: bool | None = None,
    logging_steps: int | None = None,
    eval_steps: int | None = None,
    save_steps: int | None = None,
    checkpoint_at_epoch: bool | None = None,
    save_final_checkpoint: bool | None = None,
    save_total_limit: int | None = None,
    sample_prompts: Sequence[str] | None = None,
    beta: float | None = None,
    loss_type: Literal[
        "sigmoid",
        "sigmoid_norm",
        "hinge",
        "ipo",
        "exo_pair",
        "nca_pair",
        "robust",
        "bco_pair",
        "sppo_hard",
        "apo_zero",
        "apo_down",
        "discopop",
    ]
    | Sequence[
        Literal[
            "sigmoid",
            "sigmoid_norm",
            "hinge",
            "ipo",
            "exo_pair",
            "nca_pair",
            "robust",
            "bco_pair",
            "sppo_hard",
            "apo_zero",
            "apo_down",
            "discopop",
        ]
    ]
    | None = None,
    loss_weights: Sequence[float] | None = None,
    label_smoothing: float | None = None,
    lora_r: int | None = None,
    lora_alpha: int | None = None,
    lora_dropout: float | None = None,
    target_modules: Sequence[str] | None = None,
    use_rslora: bool | None = None,
    use_dora: bool | None = None,
    init_lora_weights: bool | Literal["gaussian", "orthogonal", "pissa", "olora", "loftq"] | str | None = None,
    rank_pattern: Mapping[str, int] | None = None,
    alpha_pattern: Mapping[str, int] | None = None,
    loftq_config: Mapping[Literal["loftq_bits", "loftq_iter"], int] | None = None,
    load_in_4bit: bool | None = None,
    load_in_8bit: bool | None = None,
    bnb_4bit_quant_type: Literal["nf4", "fp4"] | None = None,
    bnb_4bit_compute_dtype: Literal["float32", "bfloat16", "float16"] | None = None,
    bnb_4bit_use_double_quant: bool | None = None,
    merge: bool | None = None,
    nproc_per_node: int | Literal["auto", "gpu"] | None = None,
    nnodes: int | None = None,
    node_rank: int | None = None,
    rdzv_id: str | None = None,
    rdzv_endpoint: str | None = None,
    master_addr: str | None = None,
    master_port: int | None = None,
    nodes: int | None = None,
    gpus_per_node: int | None = None,
    cpus_per_node: int | None = None,
    memory_gb: float | None = None,
    partition: str | None = None,
    account: str | None = None,
    timeout_min: int | None = None,
    max_requeues: int | None = None,
    wait: bool | None = None,
    tensorboard_log_dir: str | None = None,
    wandb_project: str | None = None,
    wandb_entity: str | None = None,
    wandb_run_name: str | None = None,
    mlflow_tracking_uri: str | None = None,
    mlflow_experiment_name: str | None = None,
    mlflow_run_name: str | None = None,
    adapter: str | Mapping[str, Any] | None = None,
    backend: str | Mapping[str, Any] | None = None,
    callbacks: Any = None,
    data: str | Mapping[str, Any] | None = None,
    experiment: str | Sequence[str] | None = None,
    launcher: str | Mapping[str, Any] | None = None,
    logger: str | Sequence[str] | Mapping[str, Any] | None = None,
    model: str | Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> TrainResult:
    """Direct preference optimization (DPO) of all weights or an adapter, on pairs of a chosen and a rejected answer.

    None leaves the default of the algorithm.

    Args:
        model_path: the model to train: a folder in Hugging Face format, or an id on the hub
        data_path: training rows: a .jsonl, .json, .parquet or .csv file, a folder written by save_to_disk, or an
            id on the hub
        ckpt_output_dir: the run directory
        eval_data_path: held-out rows; their loss is measured before and after training, and every eval_steps
        eval_fraction: fraction of the training rows to hold out, instead of eval_data_path
        output_dir: same as ckpt_output_dir
        overwrite: delete the run in output_dir and start again
        resume: never: refuse an output_dir that holds a run; auto: resume that run, or start a new one; must:
            resume, or fail; a path: resume from that run or checkpoint. true means auto, false never
        trust_remote_code: run Python code that comes with the model
        trust: trust the settings files named here, which may then execute code; must be typed, not set in a file
        strict: refuse the run if memory or disk space is too small; false: warn
        verbose: show the progress and the summary of the run; false: print nothing
        num_epochs: passes over the training rows, in epochs
        max_steps: stop after this many steps, regardless of num_epochs, in steps
        effective_batch_size: rows per optimizer step, over all processes, in rows
        max_seq_len: maximum length of a row; data.too_long controls longer ones, in tokens
        max_tokens_per_gpu: maximum size of a micro-batch per process; does not change the result; null: the
            backend chooses, in tokens
        packing: pack rows instead of padding them; affects speed, never the loss
        learning_rate: peak learning rate
        lr: same as learning_rate
        lr_scheduler: learning rate schedule, e.g. cosine, linear, constant, constant_with_warmup
        lr_scheduler_kwargs: further arguments of the scheduler
        warmup_steps: steps during which the learning rate rises from 0, in steps
        beta1: AdamW: decay of the first moment
        beta2: AdamW: decay of the second moment
        eps: AdamW: added to the denominator
        weight_decay: AdamW: decoupled weight decay
        max_grad_norm: gradient clipping: maximum norm of the gradient; 0: no clipping
        seed: seed of the order of rows and of every other random choice
        gradient_checkpointing: recompute activations instead of storing them: less memory, about a third more
            compute
        logging_steps: steps between two rows in metrics.jsonl, in steps
        eval_steps: steps between two evaluations; null: only before and after training, in steps
        save_steps: steps between two checkpoints; null: only the final one, in steps
        checkpoint_at_epoch: save a checkpoint at the end of every epoch
        save_final_checkpoint: save the model at the end of training
        save_total_limit: intermediate checkpoints to keep; null: all, in checkpoints
        sample_prompts: prompts that the model answers before and after training
        beta: strength of the KL penalty towards the reference model, the model before training
        loss_type: the loss of a pair; a list: the sum of several, weighted by loss_weights
        loss_weights: one weight for each loss of a list; null: 1 each
        label_smoothing: assumed fraction of pairs with swapped answers, for loss_type=robust and exo_pair
        lora_r: rank of the adapter
        lora_alpha: scaling of the adapter: its output is multiplied by lora_alpha / lora_r
        lora_dropout: dropout of the adapter's inputs during training
        target_modules: names, or suffixes of names, of the modules to adapt; null: every linear layer except the
            head
        use_rslora: rank-stabilised LoRA: scale by lora_alpha / sqrt(lora_r) instead
        use_dora: DoRA: train the magnitude of each matrix's columns as well
        init_lora_weights: initialisation of the adapter; true: no change to the model; pissa_niter_16: PiSSA with
            a fast SVD
        rank_pattern: different ranks for some modules: {regular expression of names: rank}
        alpha_pattern: different lora_alpha for some modules: {regular expression of names: alpha}
        loftq_config: for init_lora_weights=loftq: {loftq_bits: 4, loftq_iter: 1}
        load_in_4bit: QLoRA: load the model's own weights in 4 bits
        load_in_8bit: load the model's own weights in 8 bits
        bnb_4bit_quant_type: the 4-bit type: normal float or float
        bnb_4bit_compute_dtype: data type that 4-bit weights are unpacked to
        bnb_4bit_use_double_quant: quantise the constants of the 4-bit blocks as well
        merge: merge the adapter into the model at the end, and save a plain model instead of an adapter
        nproc_per_node: processes on this machine; auto: one per GPU, or one without GPUs; gpu: one per GPU, in
            processes
        nnodes: number of machines, in machines
        node_rank: index of this machine, starting at 0
        rdzv_id: name of the job for the rendezvous
        rdzv_endpoint: host:port of the rendezvous
        master_addr: host of rank 0; instead of rdzv_endpoint
        master_port: port on master_addr
        nodes: number of machines, in machines
        gpus_per_node: GPUs per machine, in GPUs
        cpus_per_node: CPU cores per machine; null: the cluster's default, in cores
        memory_gb: memory per machine; null: the cluster's default, in GB
        partition: partition; null: the cluster's default
        account: account that is charged
        timeout_min: time limit; a run that reaches it saves, is requeued and resumes; null: the partition's
            limit, in minutes
        max_requeues: how often the job may be requeued after its time limit or a preemption
        wait: follow the job until it ends; false: return as soon as it is submitted
        tensorboard_log_dir: same as logger.tensorboard.log_dir
        wandb_project: same as logger.wandb.project
        wandb_entity: same as logger.wandb.entity
        wandb_run_name: same as logger.wandb.name
        mlflow_tracking_uri: same as logger.mlflow.tracking_uri
        mlflow_experiment_name: same as logger.mlflow.experiment
        mlflow_run_name: same as logger.mlflow.name
        adapter: the adapter, or settings of it
        backend: the library that trains, or settings of it
        callbacks: options, or instances of TrainingHubCallback
        data: settings of the data pipeline, such as {'too_long': 'error'}
        experiment: experiments to apply
        launcher: where the run starts, or settings of it
        logger: where metrics go, or settings of the loggers
        model: settings for loading the model
        recipe: further arguments of the library

    Returns:
        What came of the run: status, run directory, checkpoint, metrics.

    Raises:
        ConfigError: for wrong settings, before anything starts.
        RunFailed: where the run failed.
        RunInterrupted: where it was stopped.
    """

def lora_sft(
    model_path: str | PathLike[str],
    data_path: str | PathLike[str],
    ckpt_output_dir: str | PathLike[str] | None = None,
    *,
    eval_data_path: str | PathLike[str] | None = None,
    eval_fraction: float | None = None,
    output_dir: str | PathLike[str] | None = None,
    overwrite: bool | None = None,
    resume: bool | str | None = None,
    trust_remote_code: bool | None = None,
    trust: bool | None = None,
    strict: bool | None = None,
    verbose: bool | None = None,
    num_epochs: float | None = None,
    max_steps: int | None = None,
    effective_batch_size: int | None = None,
    max_seq_len: int | None = None,
    max_tokens_per_gpu: int | None = None,
    packing: bool | None = None,
    learning_rate: float | None = None,
    lr: float | None = None,
    lr_scheduler: str | None = None,
    lr_scheduler_kwargs: Mapping[str, Any] | None = None,
    warmup_steps: int | None = None,
    beta1: float | None = None,
    beta2: float | None = None,
    eps: float | None = None,
    weight_decay: float | None = None,
    max_grad_norm: float | None = None,
    seed: int | None = None,
    gradient_checkpointing: bool | None = None,
    logging_steps: int | None = None,
    eval_steps: int | None = None,
    save_steps: int | None = None,
    checkpoint_at_epoch: bool | None = None,
    save_final_checkpoint: bool | None = None,
    save_total_limit: int | None = None,
    sample_prompts: Sequence[str] | None = None,
    unmask_messages: bool | None = None,
    is_pretraining: bool | None = None,
    block_size: int | None = None,
    document_column_name: str | None = None,
    lora_r: int | None = None,
    lora_alpha: int | None = None,
    lora_dropout: float | None = None,
    target_modules: Sequence[str] | None = None,
    use_rslora: bool | None = None,
    use_dora: bool | None = None,
    init_lora_weights: bool | Literal["gaussian", "orthogonal", "pissa", "olora", "loftq"] | str | None = None,
    rank_pattern: Mapping[str, int] | None = None,
    alpha_pattern: Mapping[str, int] | None = None,
    loftq_config: Mapping[Literal["loftq_bits", "loftq_iter"], int] | None = None,
    load_in_4bit: bool | None = None,
    load_in_8bit: bool | None = None,
    bnb_4bit_quant_type: Literal["nf4", "fp4"] | None = None,
    bnb_4bit_compute_dtype: Literal["float32", "bfloat16", "float16"] | None = None,
    bnb_4bit_use_double_quant: bool | None = None,
    merge: bool | None = None,
    nproc_per_node: int | Literal["auto", "gpu"] | None = None,
    nnodes: int | None = None,
    node_rank: int | None = None,
    rdzv_id: str | None = None,
    rdzv_endpoint: str | None = None,
    master_addr: str | None = None,
    master_port: int | None = None,
    nodes: int | None = None,
    gpus_per_node: int | None = None,
    cpus_per_node: int | None = None,
    memory_gb: float | None = None,
    partition: str | None = None,
    account: str | None = None,
    timeout_min: int | None = None,
    max_requeues: int | None = None,
    wait: bool | None = None,
    tensorboard_log_dir: str | None = None,
    wandb_project: str | None = None,
    wandb_entity: str | None = None,
    wandb_run_name: str | None = None,
    mlflow_tracking_uri: str | None = None,
    mlflow_experiment_name: str | None = None,
    mlflow_run_name: str | None = None,
    adapter: str | Mapping[str, Any] | None = None,
    backend: str | Mapping[str, Any] | None = None,
    callbacks: Any = None,
    data: str | Mapping[str, Any] | None = None,
    experiment: str | Sequence[str] | None = None,
    launcher: str | Mapping[str, Any] | None = None,
    logger: str | Sequence[str] | Mapping[str, Any] | None = None,
    model: str | Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> TrainResult:
    """Supervised fine-tuning of a low-rank adapter (LoRA); the model's own weights are frozen.

    None leaves the default of the algorithm.

    Args:
        model_path: the model to train: a folder in Hugging Face format, or an id on the hub
        data_path: training rows: a .jsonl, .json, .parquet or .csv file, a folder written by save_to_disk, or an
            id on the hub
        ckpt_output_dir: the run directory
        eval_data_path: held-out rows; their loss is measured before and after training, and every eval_steps
        eval_fraction: fraction of the training rows to hold out, instead of eval_data_path
        output_dir: same as ckpt_output_dir
        overwrite: delete the run in output_dir and start again
        resume: never: refuse an output_dir that holds a run; auto: resume that run, or start a new one; must:
            resume, or fail; a path: resume from that run or checkpoint. true means auto, false never
        trust_remote_code: run Python code that comes with the model
        trust: trust the settings files named here, which may then execute code; must be typed, not set in a file
        strict: refuse the run if memory or disk space is too small; false: warn
        verbose: show the progress and the summary of the run; false: print nothing
        num_epochs: passes over the training rows, in epochs
        max_steps: stop after this many steps, regardless of num_epochs, in steps
        effective_batch_size: rows per optimizer step, over all processes, in rows
        max_seq_len: maximum length of a row; data.too_long controls longer ones, in tokens
        max_tokens_per_gpu: maximum size of a micro-batch per process; does not change the result; null: the
            backend chooses, in tokens
        packing: pack rows instead of padding them; affects speed, never the loss
        learning_rate: peak learning rate
        lr: same as learning_rate
        lr_scheduler: learning rate schedule, e.g. cosine, linear, constant, constant_with_warmup
        lr_scheduler_kwargs: further arguments of the scheduler
        warmup_steps: steps during which the learning rate rises from 0, in steps
        beta1: AdamW: decay of the first moment
        beta2: AdamW: decay of the second moment
        eps: AdamW: added to the denominator
        weight_decay: AdamW: decoupled weight decay
        max_grad_norm: gradient clipping: maximum norm of the gradient; 0: no clipping
        seed: seed of the order of rows and of every other random choice
        gradient_checkpointing: recompute activations instead of storing them: less memory, about a third more
            compute
        logging_steps: steps between two rows in metrics.jsonl, in steps
        eval_steps: steps between two evaluations; null: only before and after training, in steps
        save_steps: steps between two checkpoints; null: only the final one, in steps
        checkpoint_at_epoch: save a checkpoint at the end of every epoch
        save_final_checkpoint: save the model at the end of training
        save_total_limit: intermediate checkpoints to keep; null: all, in checkpoints
        sample_prompts: prompts that the model answers before and after training
        unmask_messages: train on the turns of user and tools as well as the assistant's
        is_pretraining: rows are documents, and every token is trained
        block_size: join documents and cut them into blocks of this length, at most max_seq_len; null: max_seq_len
            if is_pretraining=true, else one row per document, in tokens
        document_column_name: name of the column with the text of a document
        lora_r: rank of the adapter
        lora_alpha: scaling of the adapter: its output is multiplied by lora_alpha / lora_r
        lora_dropout: dropout of the adapter's inputs during training
        target_modules: names, or suffixes of names, of the modules to adapt; null: every linear layer except the
            head
        use_rslora: rank-stabilised LoRA: scale by lora_alpha / sqrt(lora_r) instead
        use_dora: DoRA: train the magnitude of each matrix's columns as well
        init_lora_weights: initialisation of the adapter; true: no change to the model; pissa_niter_16: PiSSA with
            a fast SVD
        rank_pattern: different ranks for some modules: {regular expression of names: rank}
        alpha_pattern: different lora_alpha for some modules: {regular expression of names: alpha}
        loftq_config: for init_lora_weights=loftq: {loftq_bits: 4, loftq_iter: 1}
        load_in_4bit: QLoRA: load the model's own weights in 4 bits
        load_in_8bit: load the model's own weights in 8 bits
        bnb_4bit_quant_type: the 4-bit type: normal float or float
        bnb_4bit_compute_dtype: data type that 4-bit weights are unpacked to
        bnb_4bit_use_double_quant: quantise the constants of the 4-bit blocks as well
        merge: merge the adapter into the model at the end, and save a plain model instead of an adapter
        nproc_per_node: processes on this machine; auto: one per GPU, or one without GPUs; gpu: one per GPU, in
            processes
        nnodes: number of machines, in machines
        node_rank: index of this machine, starting at 0
        rdzv_id: name of the job for the rendezvous
        rdzv_endpoint: host:port of the rendezvous
        master_addr: host of rank 0; instead of rdzv_endpoint
        master_port: port on master_addr
        nodes: number of machines, in machines
        gpus_per_node: GPUs per machine, in GPUs
        cpus_per_node: CPU cores per machine; null: the cluster's default, in cores
        memory_gb: memory per machine; null: the cluster's default, in GB
        partition: partition; null: the cluster's default
        account: account that is charged
        timeout_min: time limit; a run that reaches it saves, is requeued and resumes; null: the partition's
            limit, in minutes
        max_requeues: how often the job may be requeued after its time limit or a preemption
        wait: follow the job until it ends; false: return as soon as it is submitted
        tensorboard_log_dir: same as logger.tensorboard.log_dir
        wandb_project: same as logger.wandb.project
        wandb_entity: same as logger.wandb.entity
        wandb_run_name: same as logger.wandb.name
        mlflow_tracking_uri: same as logger.mlflow.tracking_uri
        mlflow_experiment_name: same as logger.mlflow.experiment
        mlflow_run_name: same as logger.mlflow.name
        adapter: the adapter, or settings of it
        backend: the library that trains, or settings of it
        callbacks: options, or instances of TrainingHubCallback
        data: settings of the data pipeline, such as {'too_long': 'error'}
        experiment: experiments to apply
        launcher: where the run starts, or settings of it
        logger: where metrics go, or settings of the loggers
        model: settings for loading the model
        recipe: further arguments of the library

    Returns:
        What came of the run: status, run directory, checkpoint, metrics.

    Raises:
        ConfigError: for wrong settings, before anything starts.
        RunFailed: where the run failed.
        RunInterrupted: where it was stopped.
    """

def osft(
    model_path: str | PathLike[str],
    data_path: str | PathLike[str],
    ckpt_output_dir: str | PathLike[str] | None = None,
    *,
    eval_data_path: str | PathLike[str] | None = None,
    eval_fraction: float | None = None,
    output_dir: str | PathLike[str] | None = None,
    overwrite: bool | None = None,
    resume: bool | str | None = None,
    trust_remote_code: bool | None = None,
    trust: bool | None = None,
    strict: bool | None = None,
    verbose: bool | None = None,
    num_epochs: float | None = None,
    max_steps: int | None = None,
    effective_batch_size: int | None = None,
    max_seq_len: int | None = None,
    max_tokens_per_gpu: int | None = None,
    packing: bool | None = None,
    learning_rate: float | None = None,
    lr: float | None = None,
    lr_scheduler: str | None = None,
    lr_scheduler_kwargs: Mapping[str, Any] | None = None,
    warmup_steps: int | None = None,
    beta1: float | None = None,
    beta2: float | None = None,
    eps: float | None = None,
    weight_decay: float | None = None,
    max_grad_norm: float | None = None,
    seed: int | None = None,
    gradient_checkpointing: bool | None = None,
    logging_steps: int | None = None,
    eval_steps: int | None = None,
    save_steps: int | None = None,
    checkpoint_at_epoch: bool | None = None,
    save_final_checkpoint: bool | None = None,
    save_total_limit: int | None = None,
    sample_prompts: Sequence[str] | None = None,
    unmask_messages: bool | None = None,
    is_pretraining: bool | None = None,
    block_size: int | None = None,
    document_column_name: str | None = None,
    unfreeze_rank_ratio: float | None = None,
    target_patterns: Sequence[str] | None = None,
    nproc_per_node: int | Literal["auto", "gpu"] | None = None,
    nnodes: int | None = None,
    node_rank: int | None = None,
    rdzv_id: str | None = None,
    rdzv_endpoint: str | None = None,
    master_addr: str | None = None,
    master_port: int | None = None,
    nodes: int | None = None,
    gpus_per_node: int | None = None,
    cpus_per_node: int | None = None,
    memory_gb: float | None = None,
    partition: str | None = None,
    account: str | None = None,
    timeout_min: int | None = None,
    max_requeues: int | None = None,
    wait: bool | None = None,
    tensorboard_log_dir: str | None = None,
    wandb_project: str | None = None,
    wandb_entity: str | None = None,
    wandb_run_name: str | None = None,
    mlflow_tracking_uri: str | None = None,
    mlflow_experiment_name: str | None = None,
    mlflow_run_name: str | None = None,
    adapter: str | Mapping[str, Any] | None = None,
    backend: str | Mapping[str, Any] | None = None,
    callbacks: Any = None,
    data: str | Mapping[str, Any] | None = None,
    experiment: str | Sequence[str] | None = None,
    launcher: str | Mapping[str, Any] | None = None,
    logger: str | Sequence[str] | Mapping[str, Any] | None = None,
    model: str | Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> TrainResult:
    """Orthogonal subspace fine-tuning (OSFT): the weakest directions of each matrix are trained, the others frozen.

    None leaves the default of the algorithm.

    Args:
        model_path: the model to train: a folder in Hugging Face format, or an id on the hub
        data_path: training rows: a .jsonl, .json, .parquet or .csv file, a folder written by save_to_disk, or an
            id on the hub
        ckpt_output_dir: the run directory
        eval_data_path: held-out rows; their loss is measured before and after training, and every eval_steps
        eval_fraction: fraction of the training rows to hold out, instead of eval_data_path
        output_dir: same as ckpt_output_dir
        overwrite: delete the run in output_dir and start again
        resume: never: refuse an output_dir that holds a run; auto: resume that run, or start a new one; must:
            resume, or fail; a path: resume from that run or checkpoint. true means auto, false never
        trust_remote_code: run Python code that comes with the model
        trust: trust the settings files named here, which may then execute code; must be typed, not set in a file
        strict: refuse the run if memory or disk space is too small; false: warn
        verbose: show the progress and the summary of the run; false: print nothing
        num_epochs: passes over the training rows, in epochs
        max_steps: stop after this many steps, regardless of num_epochs, in steps
        effective_batch_size: rows per optimizer step, over all processes, in rows
        max_seq_len: maximum length of a row; data.too_long controls longer ones, in tokens
        max_tokens_per_gpu: maximum size of a micro-batch per process; does not change the result; null: the
            backend chooses, in tokens
        packing: pack rows instead of padding them; affects speed, never the loss
        learning_rate: peak learning rate
        lr: same as learning_rate
        lr_scheduler: learning rate schedule, e.g. cosine, linear, constant, constant_with_warmup
        lr_scheduler_kwargs: further arguments of the scheduler
        warmup_steps: steps during which the learning rate rises from 0, in steps
        beta1: AdamW: decay of the first moment
        beta2: AdamW: decay of the second moment
        eps: AdamW: added to the denominator
        weight_decay: AdamW: decoupled weight decay
        max_grad_norm: gradient clipping: maximum norm of the gradient; 0: no clipping
        seed: seed of the order of rows and of every other random choice
        gradient_checkpointing: recompute activations instead of storing them: less memory, about a third more
            compute
        logging_steps: steps between two rows in metrics.jsonl, in steps
        eval_steps: steps between two evaluations; null: only before and after training, in steps
        save_steps: steps between two checkpoints; null: only the final one, in steps
        checkpoint_at_epoch: save a checkpoint at the end of every epoch
        save_final_checkpoint: save the model at the end of training
        save_total_limit: intermediate checkpoints to keep; null: all, in checkpoints
        sample_prompts: prompts that the model answers before and after training
        unmask_messages: train on the turns of user and tools as well as the assistant's
        is_pretraining: rows are documents, and every token is trained
        block_size: join documents and cut them into blocks of this length, at most max_seq_len; null: max_seq_len
            if is_pretraining=true, else one row per document, in tokens
        document_column_name: name of the column with the text of a document
        unfreeze_rank_ratio: fraction of each weight matrix's singular directions to train, the weakest; 0: none,
            1: all
        target_patterns: which weight matrices to split: substrings of module names; null: on backend=trl every
            linear layer except the head, on mini-trainer those that it knows for the model's architecture
        nproc_per_node: processes on this machine; auto: one per GPU, or one without GPUs; gpu: one per GPU, in
            processes
        nnodes: number of machines, in machines
        node_rank: index of this machine, starting at 0
        rdzv_id: name of the job for the rendezvous
        rdzv_endpoint: host:port of the rendezvous
        master_addr: host of rank 0; instead of rdzv_endpoint
        master_port: port on master_addr
        nodes: number of machines, in machines
        gpus_per_node: GPUs per machine, in GPUs
        cpus_per_node: CPU cores per machine; null: the cluster's default, in cores
        memory_gb: memory per machine; null: the cluster's default, in GB
        partition: partition; null: the cluster's default
        account: account that is charged
        timeout_min: time limit; a run that reaches it saves, is requeued and resumes; null: the partition's
            limit, in minutes
        max_requeues: how often the job may be requeued after its time limit or a preemption
        wait: follow the job until it ends; false: return as soon as it is submitted
        tensorboard_log_dir: same as logger.tensorboard.log_dir
        wandb_project: same as logger.wandb.project
        wandb_entity: same as logger.wandb.entity
        wandb_run_name: same as logger.wandb.name
        mlflow_tracking_uri: same as logger.mlflow.tracking_uri
        mlflow_experiment_name: same as logger.mlflow.experiment
        mlflow_run_name: same as logger.mlflow.name
        adapter: the adapter, or settings of it
        backend: the library that trains, or settings of it
        callbacks: options, or instances of TrainingHubCallback
        data: settings of the data pipeline, such as {'too_long': 'error'}
        experiment: experiments to apply
        launcher: where the run starts, or settings of it
        logger: where metrics go, or settings of the loggers
        model: settings for loading the model
        recipe: further arguments of the library

    Returns:
        What came of the run: status, run directory, checkpoint, metrics.

    Raises:
        ConfigError: for wrong settings, before anything starts.
        RunFailed: where the run failed.
        RunInterrupted: where it was stopped.
    """

def sft(
    model_path: str | PathLike[str],
    data_path: str | PathLike[str],
    ckpt_output_dir: str | PathLike[str] | None = None,
    *,
    eval_data_path: str | PathLike[str] | None = None,
    eval_fraction: float | None = None,
    output_dir: str | PathLike[str] | None = None,
    overwrite: bool | None = None,
    resume: bool | str | None = None,
    trust_remote_code: bool | None = None,
    trust: bool | None = None,
    strict: bool | None = None,
    verbose: bool | None = None,
    num_epochs: float | None = None,
    max_steps: int | None = None,
    effective_batch_size: int | None = None,
    max_seq_len: int | None = None,
    max_tokens_per_gpu: int | None = None,
    packing: bool | None = None,
    learning_rate: float | None = None,
    lr: float | None = None,
    lr_scheduler: str | None = None,
    lr_scheduler_kwargs: Mapping[str, Any] | None = None,
    warmup_steps: int | None = None,
    beta1: float | None = None,
    beta2: float | None = None,
    eps: float | None = None,
    weight_decay: float | None = None,
    max_grad_norm: float | None = None,
    seed: int | None = None,
    gradient_checkpointing: bool | None = None,
    logging_steps: int | None = None,
    eval_steps: int | None = None,
    save_steps: int | None = None,
    checkpoint_at_epoch: bool | None = None,
    save_final_checkpoint: bool | None = None,
    save_total_limit: int | None = None,
    sample_prompts: Sequence[str] | None = None,
    unmask_messages: bool | None = None,
    is_pretraining: bool | None = None,
    block_size: int | None = None,
    document_column_name: str | None = None,
    lora_r: int | None = None,
    lora_alpha: int | None = None,
    lora_dropout: float | None = None,
    target_modules: Sequence[str] | None = None,
    use_rslora: bool | None = None,
    use_dora: bool | None = None,
    init_lora_weights: bool | Literal["gaussian", "orthogonal", "pissa", "olora", "loftq"] | str | None = None,
    rank_pattern: Mapping[str, int] | None = None,
    alpha_pattern: Mapping[str, int] | None = None,
    loftq_config: Mapping[Literal["loftq_bits", "loftq_iter"], int] | None = None,
    load_in_4bit: bool | None = None,
    load_in_8bit: bool | None = None,
    bnb_4bit_quant_type: Literal["nf4", "fp4"] | None = None,
    bnb_4bit_compute_dtype: Literal["float32", "bfloat16", "float16"] | None = None,
    bnb_4bit_use_double_quant: bool | None = None,
    merge: bool | None = None,
    nproc_per_node: int | Literal["auto", "gpu"] | None = None,
    nnodes: int | None = None,
    node_rank: int | None = None,
    rdzv_id: str | None = None,
    rdzv_endpoint: str | None = None,
    master_addr: str | None = None,
    master_port: int | None = None,
    nodes: int | None = None,
    gpus_per_node: int | None = None,
    cpus_per_node: int | None = None,
    memory_gb: float | None = None,
    partition: str | None = None,
    account: str | None = None,
    timeout_min: int | None = None,
    max_requeues: int | None = None,
    wait: bool | None = None,
    tensorboard_log_dir: str | None = None,
    wandb_project: str | None = None,
    wandb_entity: str | None = None,
    wandb_run_name: str | None = None,
    mlflow_tracking_uri: str | None = None,
    mlflow_experiment_name: str | None = None,
    mlflow_run_name: str | None = None,
    adapter: str | Mapping[str, Any] | None = None,
    backend: str | Mapping[str, Any] | None = None,
    callbacks: Any = None,
    data: str | Mapping[str, Any] | None = None,
    experiment: str | Sequence[str] | None = None,
    launcher: str | Mapping[str, Any] | None = None,
    logger: str | Sequence[str] | Mapping[str, Any] | None = None,
    model: str | Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> TrainResult:
    """Supervised fine-tuning of all weights, with loss on the assistant's turns only.

    None leaves the default of the algorithm.

    Args:
        model_path: the model to train: a folder in Hugging Face format, or an id on the hub
        data_path: training rows: a .jsonl, .json, .parquet or .csv file, a folder written by save_to_disk, or an
            id on the hub
        ckpt_output_dir: the run directory
        eval_data_path: held-out rows; their loss is measured before and after training, and every eval_steps
        eval_fraction: fraction of the training rows to hold out, instead of eval_data_path
        output_dir: same as ckpt_output_dir
        overwrite: delete the run in output_dir and start again
        resume: never: refuse an output_dir that holds a run; auto: resume that run, or start a new one; must:
            resume, or fail; a path: resume from that run or checkpoint. true means auto, false never
        trust_remote_code: run Python code that comes with the model
        trust: trust the settings files named here, which may then execute code; must be typed, not set in a file
        strict: refuse the run if memory or disk space is too small; false: warn
        verbose: show the progress and the summary of the run; false: print nothing
        num_epochs: passes over the training rows, in epochs
        max_steps: stop after this many steps, regardless of num_epochs, in steps
        effective_batch_size: rows per optimizer step, over all processes, in rows
        max_seq_len: maximum length of a row; data.too_long controls longer ones, in tokens
        max_tokens_per_gpu: maximum size of a micro-batch per process; does not change the result; null: the
            backend chooses, in tokens
        packing: pack rows instead of padding them; affects speed, never the loss
        learning_rate: peak learning rate
        lr: same as learning_rate
        lr_scheduler: learning rate schedule, e.g. cosine, linear, constant, constant_with_warmup
        lr_scheduler_kwargs: further arguments of the scheduler
        warmup_steps: steps during which the learning rate rises from 0, in steps
        beta1: AdamW: decay of the first moment
        beta2: AdamW: decay of the second moment
        eps: AdamW: added to the denominator
        weight_decay: AdamW: decoupled weight decay
        max_grad_norm: gradient clipping: maximum norm of the gradient; 0: no clipping
        seed: seed of the order of rows and of every other random choice
        gradient_checkpointing: recompute activations instead of storing them: less memory, about a third more
            compute
        logging_steps: steps between two rows in metrics.jsonl, in steps
        eval_steps: steps between two evaluations; null: only before and after training, in steps
        save_steps: steps between two checkpoints; null: only the final one, in steps
        checkpoint_at_epoch: save a checkpoint at the end of every epoch
        save_final_checkpoint: save the model at the end of training
        save_total_limit: intermediate checkpoints to keep; null: all, in checkpoints
        sample_prompts: prompts that the model answers before and after training
        unmask_messages: train on the turns of user and tools as well as the assistant's
        is_pretraining: rows are documents, and every token is trained
        block_size: join documents and cut them into blocks of this length, at most max_seq_len; null: max_seq_len
            if is_pretraining=true, else one row per document, in tokens
        document_column_name: name of the column with the text of a document
        lora_r: rank of the adapter
        lora_alpha: scaling of the adapter: its output is multiplied by lora_alpha / lora_r
        lora_dropout: dropout of the adapter's inputs during training
        target_modules: names, or suffixes of names, of the modules to adapt; null: every linear layer except the
            head
        use_rslora: rank-stabilised LoRA: scale by lora_alpha / sqrt(lora_r) instead
        use_dora: DoRA: train the magnitude of each matrix's columns as well
        init_lora_weights: initialisation of the adapter; true: no change to the model; pissa_niter_16: PiSSA with
            a fast SVD
        rank_pattern: different ranks for some modules: {regular expression of names: rank}
        alpha_pattern: different lora_alpha for some modules: {regular expression of names: alpha}
        loftq_config: for init_lora_weights=loftq: {loftq_bits: 4, loftq_iter: 1}
        load_in_4bit: QLoRA: load the model's own weights in 4 bits
        load_in_8bit: load the model's own weights in 8 bits
        bnb_4bit_quant_type: the 4-bit type: normal float or float
        bnb_4bit_compute_dtype: data type that 4-bit weights are unpacked to
        bnb_4bit_use_double_quant: quantise the constants of the 4-bit blocks as well
        merge: merge the adapter into the model at the end, and save a plain model instead of an adapter
        nproc_per_node: processes on this machine; auto: one per GPU, or one without GPUs; gpu: one per GPU, in
            processes
        nnodes: number of machines, in machines
        node_rank: index of this machine, starting at 0
        rdzv_id: name of the job for the rendezvous
        rdzv_endpoint: host:port of the rendezvous
        master_addr: host of rank 0; instead of rdzv_endpoint
        master_port: port on master_addr
        nodes: number of machines, in machines
        gpus_per_node: GPUs per machine, in GPUs
        cpus_per_node: CPU cores per machine; null: the cluster's default, in cores
        memory_gb: memory per machine; null: the cluster's default, in GB
        partition: partition; null: the cluster's default
        account: account that is charged
        timeout_min: time limit; a run that reaches it saves, is requeued and resumes; null: the partition's
            limit, in minutes
        max_requeues: how often the job may be requeued after its time limit or a preemption
        wait: follow the job until it ends; false: return as soon as it is submitted
        tensorboard_log_dir: same as logger.tensorboard.log_dir
        wandb_project: same as logger.wandb.project
        wandb_entity: same as logger.wandb.entity
        wandb_run_name: same as logger.wandb.name
        mlflow_tracking_uri: same as logger.mlflow.tracking_uri
        mlflow_experiment_name: same as logger.mlflow.experiment
        mlflow_run_name: same as logger.mlflow.name
        adapter: the adapter, or settings of it
        backend: the library that trains, or settings of it
        callbacks: options, or instances of TrainingHubCallback
        data: settings of the data pipeline, such as {'too_long': 'error'}
        experiment: experiments to apply
        launcher: where the run starts, or settings of it
        logger: where metrics go, or settings of the loggers
        model: settings for loading the model
        recipe: further arguments of the library

    Returns:
        What came of the run: status, run directory, checkpoint, metrics.

    Raises:
        ConfigError: for wrong settings, before anything starts.
        RunFailed: where the run failed.
        RunInterrupted: where it was stopped.
    """
