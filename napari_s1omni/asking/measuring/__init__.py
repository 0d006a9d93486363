"""Answers without a model: a few kinds of questions that can be measured, and the code that measures them."""
