"""The executors of a run: this process, or Dask workers that lease blocks."""
