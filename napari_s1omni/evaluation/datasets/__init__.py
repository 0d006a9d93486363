"""Published benchmarks in their official folder layouts."""
