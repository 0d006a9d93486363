"""Questions about a layer of any size: what is looked at, what is measured, and what of it supports the answer."""
