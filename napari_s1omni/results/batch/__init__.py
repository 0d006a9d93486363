"""The results of a batch: its table, the tables of its objects, its outliers and its page."""
