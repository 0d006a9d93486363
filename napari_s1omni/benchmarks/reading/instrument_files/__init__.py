"""Files as instruments write them, made where no real one is at hand; for benchmarks and tests."""
