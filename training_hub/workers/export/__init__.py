"""A checkpoint as a plain model for others: merged, in one dtype, with tokenizer and card; or a mixture of two."""
