"""Training data: fields, simulated scenes, samples and augmentation."""
