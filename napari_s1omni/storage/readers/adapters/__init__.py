"""Readers of other projects behind the protocol of ours."""
