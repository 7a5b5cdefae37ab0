"""The settings of the data pipeline that are not parameters of every algorithm; their values stand in `conf/data/`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from training_hub.params import Checked, ChoiceNode, Params, Place, Text, param, takes

Role = Literal["system", "developer", "user", "assistant", "tool", "function", "ipython"]
Column = Annotated[Text, Field(min_length=1)]


class DataParams(Checked):
    """`data`: how rows are read, rendered, masked and cut."""

    format: Literal["auto", "messages", "prompt_completion", "alpaca", "document", "tokens", "preference"] = param(
        "shape of the rows; auto: recognised from the columns of the first row"
    )
    train_on: Literal["assistant", "all"] | list[Role] = param(
        "whose words carry loss: the assistant's with the end of its turn, every token, or those of a list of roles; "
        "a row with unmask=true trains every role but the system"
    )
    too_long: Literal["truncate", "drop", "error"] = param("what happens to a row of more than max_seq_len tokens")
    chat_template: Place | None = param("Jinja file to use instead of the model's own chat template")
    chat_template_kwargs: dict[str, Any] = param(
        "further variables of the chat template, for example {enable_thinking: false}"
    )
    plain_text: bool = param(
        "write rows of text (prompt and completion, alpaca, preferences of text) as they are, although the model has a "
        "chat template; else each is a user's turn and the assistant's answer"
    )
    end_of_turn: Column = param(
        "the token that ends the assistant's last turn. auto: what the chat template writes, and where it writes none, "
        "the tokenizer's or generation config's end token is added and trained; template: only what it writes; or a "
        "special token, added where the turn does not end with it"
    )
    unrenderable: Literal["error", "drop"] = param("what happens to a row that the chat template cannot write")
    messages_column: Column = param("column that holds the conversation")
    document_column: Column = param("column that holds a document's text")
    block_size: int | None = param(
        "documents are joined and cut into blocks of this length, at most max_seq_len; null: one row per document",
        unit="tokens",
        gt=1,
    )
    num_proc: int | None = param("cores to prepare the data with; null: all", unit="cores", may_change=True, gt=0)
    cache_dir: Place | None = param(
        "where prepared data is kept; null: training_hub/data in $XDG_CACHE_HOME or ~/.cache", may_change=True
    )


@takes(ChoiceNode, "accepts")
@takes(Params, "eval_fraction", "max_seq_len", "seed", path="data_path", eval_path="eval_data_path")
class DataNode(DataParams):
    """The whole `data` node: its own settings, and the parameters of the algorithm that reach it."""
