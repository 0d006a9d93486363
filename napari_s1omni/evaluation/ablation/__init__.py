"""Ablation of the thought: the same tiles drawn with unchanged, destroyed, exchanged and falsified conditions."""
