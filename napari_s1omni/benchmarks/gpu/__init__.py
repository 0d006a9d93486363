"""What a model of the released size costs on a GPU, with random weights."""
