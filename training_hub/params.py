"""The parameters: the one home of type, bound, unit and meaning. Default values stand in `conf/`.

A class holds the parameters of one owner: `Params` those of every algorithm, its subclasses (next to each algorithm)
an algorithm's own, `TorchrunParams` those of launching, the `...Node` classes the settings of a config group.
`--help`, validation, the reference page and the signatures of the Python functions are made from them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

_Class = TypeVar("_Class", bound=BaseModel)


def param(
    meaning: str,
    unit: str = "",
    aliases: tuple[str, ...] = (),
    beside: tuple[str, ...] = (),
    may_change: bool = False,
    section: str = "",
    **bounds: Any,
) -> Any:
    """Describe a parameter.

    aliases: its names elsewhere; beside: parameters without one of which it has no effect; bounds: as for pydantic's
    Field (gt, ge, lt, le). may_change: whether a run that goes on may have another value than it began with; it has no
    part in what is learned from a step, rounding apart, or its content is compared instead (paths). section: the
    heading that this parameter and those after it stand under in `--help` and in the reference.
    """
    extra: dict[str, Any] = {"unit": unit, "aliases": list(aliases), "beside": list(beside), "may_change": may_change}
    extra |= {"section": section} if section else {}
    return Field(description=meaning, json_schema_extra=extra, **bounds)


def takes(owner: type[BaseModel], *names: str, **renamed: str) -> Callable[[type[_Class]], type[_Class]]:
    """Add parameters of `owner` to a class as they are: their types, bounds and meanings stand there alone.

    renamed: name in the class -> name in `owner`.
    """
    fields = {own: owner.model_fields[name] for own, name in ({each: each for each in names} | renamed).items()}

    def with_fields(node: type[_Class]) -> type[_Class]:
        definitions: Any = {own: (field.annotation, field) for own, field in fields.items()}
        return create_model(
            node.__name__, __base__=node, __module__=node.__module__, __doc__=node.__doc__, **definitions
        )

    return with_fields


def _as_text(value: object) -> object:
    """A number or a path is accepted where text is asked for: `wandb_run_name=7`, `model_path=Path(...)`."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _whole(text: str) -> str:
    """Half of a character, as a name that is not UTF-8 has it, cannot be written to a file."""
    if any("\ud800" <= each <= "\udfff" for each in text):
        raise ValueError("is not valid UTF-8")
    return text


def _possible(path: str) -> str:
    if "\0" in path:
        raise ValueError("holds a NUL byte, which no path can")
    if any(len(os.fsencode(each)) > LONGEST_NAME for each in path.split("/")):
        raise ValueError(f"a name in a path has at most {LONGEST_NAME} bytes")
    if len(os.fsencode(os.path.abspath(path))) > LONGEST_PATH:  # noqa: PTH100  nothing is looked up
        raise ValueError(f"a path has at most {LONGEST_PATH:,} bytes")
    return path


LONGEST_NAME, LONGEST_PATH = 255, 4000  # bytes; Linux takes 4,095, less the names of what is written there
Text = Annotated[str, BeforeValidator(_as_text), AfterValidator(_whole)]
Place = Annotated[Text, AfterValidator(_possible)]  # a path, or what could be one


class Checked(BaseModel):
    """Base of every class of parameters: no other keys, no silent conversions.

    A class whose values no command checks need not be compiled for it, hence defer_build.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=(), defer_build=True
    )


class Params(Checked):
    """The parameters of every algorithm."""

    model_path: Place = param(
        "the model to train: a folder in Hugging Face format, or an id on the hub",
        may_change=True,
        section="model, data and run directory",
        min_length=1,
    )
    data_path: Place = param(
        "training rows: a .jsonl, .json, .parquet or .csv file, a folder written by save_to_disk, or an id on the hub",
        may_change=True,
        min_length=1,
    )
    eval_data_path: Place | None = param(
        "held-out rows; their loss is measured before and after training, and every eval_steps", may_change=True
    )
    eval_fraction: float = param("fraction of the training rows to hold out, instead of eval_data_path", ge=0, lt=1)
    output_dir: Place = param("the run directory", aliases=("ckpt_output_dir",), may_change=True)
    overwrite: bool = param("delete the run in output_dir and start again", may_change=True)
    resume: bool | Place = param(
        "never: refuse an output_dir that holds a run; auto: resume that run, or start a new one; must: resume, or "
        "fail; a path: resume from that run or checkpoint. true means auto, false never",
        may_change=True,
    )
    trust_remote_code: bool = param("run Python code that comes with the model")
    trust: bool = param(
        "trust the settings files named here, which may then execute code; must be typed, not set in a file",
        may_change=True,
    )
    strict: bool = param("refuse the run if memory or disk space is too small; false: warn", may_change=True)
    verbose: bool = param("show the progress and the summary of the run; false: print nothing", may_change=True)

    num_epochs: float = param(
        "passes over the training rows", unit="epochs", may_change=True, section="length and batch", gt=0, le=1e9
    )
    max_steps: int | None = param(
        "stop after this many steps, regardless of num_epochs", unit="steps", may_change=True, gt=0
    )
    effective_batch_size: int = param("rows per optimizer step, over all processes", unit="rows", gt=0)
    max_seq_len: int = param("maximum length of a row; data.too_long controls longer ones", unit="tokens", gt=1)
    max_tokens_per_gpu: int | None = param(
        "maximum size of a micro-batch per process; does not change the result; null: the backend chooses",
        "tokens",
        may_change=True,
        gt=0,
    )
    packing: bool = param("pack rows instead of padding them; affects speed, never the loss", may_change=True)

    lr: float = param("peak learning rate", aliases=("learning_rate",), section="optimizer", gt=0)
    lr_scheduler: Text = param("learning rate schedule, e.g. cosine, linear, constant, constant_with_warmup")
    lr_scheduler_kwargs: dict[str, Any] = param("further arguments of the scheduler")
    warmup_steps: int = param("steps during which the learning rate rises from 0", unit="steps", ge=0)
    beta1: float = param("AdamW: decay of the first moment", ge=0, lt=1)
    beta2: float = param("AdamW: decay of the second moment", ge=0, lt=1)
    eps: float = param("AdamW: added to the denominator", gt=0)
    weight_decay: float = param("AdamW: decoupled weight decay", ge=0)
    max_grad_norm: float = param("gradient clipping: maximum norm of the gradient; 0: no clipping", ge=0)
    seed: int = param("seed of the order of rows and of every other random choice", ge=0, lt=2**32)
    gradient_checkpointing: bool = param(
        "recompute activations instead of storing them: less memory, about a third more compute", may_change=True
    )

    logging_steps: int = param(
        "steps between two rows in metrics.jsonl", "steps", may_change=True, section="metrics and checkpoints", gt=0
    )
    eval_steps: int | None = param(
        "steps between two evaluations; null: only before and after training", unit="steps", may_change=True, gt=0
    )
    save_steps: int | None = param(
        "steps between two checkpoints; null: only the final one", unit="steps", may_change=True, gt=0
    )
    checkpoint_at_epoch: bool = param("save a checkpoint at the end of every epoch", may_change=True)
    save_final_checkpoint: bool = param("save the model at the end of training", may_change=True)
    save_total_limit: int | None = param(
        "intermediate checkpoints to keep; null: all",
        unit="checkpoints",
        beside=("save_steps", "checkpoint_at_epoch", "callbacks"),
        may_change=True,
        gt=0,
    )
    sample_prompts: list[Text] = param("prompts that the model answers before and after training", may_change=True)


class TorchrunParams(Checked):
    """Processes and their rendezvous; names and environment variables are torchrun's."""

    nproc_per_node: Annotated[int, Field(gt=0, le=1024)] | Literal["auto", "gpu"] = param(
        "processes on this machine; auto: one per GPU, or one without GPUs; gpu: one per GPU", unit="processes"
    )
    nnodes: int = param("number of machines", unit="machines", gt=0, le=100_000)
    node_rank: int = param("index of this machine, starting at 0", ge=0)
    rdzv_id: Text | None = param("name of the job for the rendezvous")
    rdzv_endpoint: Text | None = param("host:port of the rendezvous")
    master_addr: Text | None = param("host of rank 0; instead of rdzv_endpoint")
    master_port: int | None = param("port on master_addr", gt=0, lt=65536)


class SweepParams(Checked):
    """The parameters that only a sweep (`-m`) has."""

    jobs: int | None = param(
        "number of runs at a time; null: one per GPU, or one without GPUs", "runs", ("array_parallelism",), gt=0
    )
    rank_by: Text | None = param(
        "the metric that ranks the runs, by its last value: eval_loss, loss, or any other that they log; null: "
        "eval_loss, or loss without held-out rows"
    )
    rank_mode: Literal["min", "max"] | None = param(
        "min: the lowest rank_by is best; max: the highest; null: the default of the metric"
    )


class ChoiceNode(Checked):
    """`algorithm`: the class, whether it trains an adapter, and the data formats that it learns from."""

    target: Text = Field(alias="_target_", description="the class")
    adapter: Literal["optional", "required"] | None = param("whether it trains an adapter; null: never", default=None)
    accepts: list[Text] = param(
        "what the algorithm can train on: labelled, pairs, prompts, or the names of data formats"
    )


class BackendNode(Checked):
    """`backend`: the library, its requirements, and settings of the worker that are not arguments of the library."""

    target: Text = Field(alias="_target_", description="the class")
    worker: Text = param("the function that a worker process calls: module.function", may_change=True)
    python: Place | None = param("interpreter of the worker; null: the current one", may_change=True)
    requires: list[Text] = param("distributions that must be installed, with versions", may_change=True)
    needs_gpu: bool = param("whether the library requires a CUDA GPU", may_change=True)


@takes(Params, "trust_remote_code", path="model_path")
class ModelNode(Checked):
    """`model`: how transformers loads the model."""

    revision: Text | None = param("branch, tag or commit on the hub")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = param(
        "data type of the weights during training; auto: float32"
    )
    attn_implementation: Text = param("attention implementation: auto, sdpa, eager, flash_attention_2, ...")


class LoggerNode(Checked):
    """`logger.<name>`: where metrics go."""

    target: Text = Field(alias="_target_", description="the class")
    worker: Text | None = param("the class that writes, in a process next to the worker; null: the worker writes")
    requires: list[Text] = param("distributions that must be installed, with versions")


class EarlyStoppingNode(Checked):
    """`callbacks.early_stopping`."""

    target: Text = Field(alias="_target_", description="the class")
    patience: int = param("number of evaluations without improvement after which training stops", gt=0)
    metric: Text = param("the metric that must improve: eval_loss, loss, or any other that is logged")
    mode: Literal["min", "max"] | None = param(
        "min: lower is better; max: higher is better; null: the default of the metric"
    )
    min_delta: float = param("smallest change that counts as an improvement, in units of the metric", ge=0)
    save_best: bool = param("save a checkpoint at each improvement and keep the best")


def may_change(owner: type[BaseModel]) -> set[str]:
    """Which of an owner's parameters may have another value when a run goes on."""
    return {name for name, field in owner.model_fields.items() if _extra(field).get("may_change")}


def resume_mode(value: object) -> str:
    """What `resume` means: auto, never, must or a path."""
    return ("auto" if value else "never") if isinstance(value, bool) else str(value)


def aliases(owner: type[BaseModel]) -> dict[str, str]:
    """Other names of an owner's parameters -> their own: {"learning_rate": "lr", ...}."""
    return {other: name for name, field in owner.model_fields.items() for other in _extra(field).get("aliases", ())}


def unit(field: FieldInfo) -> str:
    """The unit of a parameter, "" where it has none."""
    return str(_extra(field).get("unit", ""))


def beside(field: FieldInfo) -> list[str]:
    """Parameters without one of which this one has no effect; [] where it always has one."""
    return list(_extra(field).get("beside", ()))


def sections(owner: type[BaseModel]) -> dict[str, list[str]]:
    """An owner's parameters by the heading that they stand under; "" for those before the first one."""
    found: dict[str, list[str]] = {}
    heading = ""
    for name, field in owner.model_fields.items():
        heading = str(_extra(field).get("section", heading))
        found.setdefault(heading, []).append(name)
    return found


def names_in_python(owner: type[BaseModel]) -> dict[str, FieldInfo]:
    """Parameters under the names that the Python functions document: an alias where there is one."""
    return {next(iter(_extra(field).get("aliases", ())), name): field for name, field in owner.model_fields.items()}


def types(owner: type[BaseModel]) -> dict[str, type]:
    """Plain Python type of each parameter, under its Python name: `int | None` is int, `Literal` is str."""
    return {name: _plain(field.annotation) for name, field in names_in_python(owner).items()}


def bare(annotation: Any) -> Any:
    """A type without what pydantic needs to know beside it: `Annotated[str, ...] | None` -> `str | None`."""
    if get_origin(annotation) is Annotated:
        return bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return Union[tuple(bare(each) for each in get_args(annotation))]  # noqa: UP007  a tuple of types
    if get_origin(annotation) is list:
        return list[bare(get_args(annotation)[0])]  # type: ignore[misc]
    return annotation


def takes_text(annotation: Any) -> bool:
    """Whether a type is text, or a list of texts, and no number."""
    kind = bare(annotation)
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return bool({str, list[str]} & {*kinds}) and not {int, float} & {*kinds}


def _plain(annotation: Any) -> type:
    if get_origin(annotation) is Literal:
        return type(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return _plain(next(each for each in get_args(annotation) if each is not type(None)))
    plain: type = get_origin(annotation) or annotation
    return plain


def _extra(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return dict(extra) if isinstance(extra, dict) else {}
