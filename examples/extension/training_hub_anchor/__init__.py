"""anchored_sft: supervised fine-tuning that is pulled back to the weights it began with."""

from training_hub_anchor.algorithm import AnchoredSFTAlgorithm, anchored_sft

__all__ = ["AnchoredSFTAlgorithm", "anchored_sft"]
