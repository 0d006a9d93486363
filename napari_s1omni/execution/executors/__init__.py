"""Who runs the blocks: this process, or Dask workers that lease them."""
