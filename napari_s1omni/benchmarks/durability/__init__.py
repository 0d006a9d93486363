"""Benchmarks of durable runs: overhead, memory and resuming, and the page that shows them."""
