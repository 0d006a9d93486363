"""Training data: fields, samples, augmentations, batches."""
