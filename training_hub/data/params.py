"""The settings of the data pipeline that are not parameters of every algorithm; their values stand in `conf/data/`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from training_hub.params import Checked, ChoiceNode, Params, Place, Text, param, takes

Role = Literal["system", "developer", "user", "assistant", "tool", "function", "ipython"]
Column = Annotated[Text, Field(min_length=1)]


class DataParams(Checked):
    """`data`: how rows are read, rendered, masked and cut."""

    format: Text = param("data format of the rows, see conf/format/; auto: recognised by the columns of the first row")
    train_on: Literal["assistant", "all"] | list[Role] = param(
        "which tokens are trained: the assistant's turns and their end, all, or the turns of a list of roles; "
        "a row with unmask=true trains every role except the system prompt"
    )
    too_long: Literal["truncate", "drop", "error"] = param("what to do with a row of more than max_seq_len tokens")
    chat_template: Place | None = param("a Jinja file to use instead of the model's own chat template")
    chat_template_kwargs: dict[str, Any] = param(
        "further variables of the chat template, for example {enable_thinking: false}"
    )
    plain_text: bool = param(
        "concatenate rows of text (prompt and completion, alpaca, preferences of text) instead of rendering them as a "
        "user's turn and the assistant's answer with the chat template"
    )
    end_of_turn: Column = param(
        "the token that ends the assistant's last turn. auto: that of the chat template, or if it has none, the end "
        "token of the tokenizer or generation config is added and trained; template: only that of the template; or a "
        "special token, which is added if the turn does not end with it"
    )
    unrenderable: Literal["error", "drop"] = param(
        "what to do with a row that the chat template cannot render faithfully"
    )
    messages_column: Column = param("name of the column with the conversation")
    document_column: Column = param("name of the column with the text of a document")
    block_size: int | None = param(
        "join documents and cut them into blocks of this length, at most max_seq_len; null: one row per document",
        unit="tokens",
        gt=1,
    )
    num_proc: int | None = param("CPU cores for preparing the data; null: all", unit="cores", may_change=True, gt=0)
    cache_dir: Place | None = param(
        "folder of the cache of prepared data; null: training_hub/data in $XDG_CACHE_HOME or ~/.cache", may_change=True
    )


@takes(ChoiceNode, "accepts")
@takes(Params, "eval_fraction", "max_seq_len", "seed", path="data_path", eval_path="eval_data_path")
class DataNode(DataParams):
    """The whole `data` node: its own settings, and the parameters of the algorithm that reach it."""

    formats: dict[str, dict[str, Any]] = param("all formats: the class of each, and its arguments", may_change=True)
