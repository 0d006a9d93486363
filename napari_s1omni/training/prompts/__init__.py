"""Texts of training: how requests and traces are worded, and the tokenizer for them."""
