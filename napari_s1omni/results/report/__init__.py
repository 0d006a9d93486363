"""Report: one self-contained HTML page about a run, fit for a supplement.

It says what was done, with what, how well it went, and shows tiles with the
thoughts they were drawn from: the worst ones first, then some at random.
Nothing on the page is fetched from elsewhere.
"""

from napari_s1omni.results.report.page import report, write_report

__all__ = ["report", "write_report"]
