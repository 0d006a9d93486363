"""State behind dock and notebook, without a toolkit: job form, runs, previews."""
