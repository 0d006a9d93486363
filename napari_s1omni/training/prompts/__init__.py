"""The language of training: prompts, traces and the tokenizer."""
