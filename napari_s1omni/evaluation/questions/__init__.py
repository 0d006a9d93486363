"""Published benchmarks of questions about images: their files, prompts and scores."""
