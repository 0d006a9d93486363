"""Conformance suites that anyone can subclass: for engines and for sinks."""
