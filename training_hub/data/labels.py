"""The label of a token: its own id where it is trained, else IGNORED. Labels are not shifted."""

from __future__ import annotations

IGNORED = -100  # what PyTorch's cross-entropy and every library beside it leave out of the loss
