"""Conformance suites to subclass in your own tests, for engines and for sinks, and an engine with known results."""
