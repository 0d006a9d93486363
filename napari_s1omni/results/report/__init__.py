"""A self-contained HTML report of a run, for the supplement of a paper.

It lists the job, the engine and the quality of the result, and shows tiles
with their thoughts: those with the most visible joins, then a random sample.
The page loads nothing from elsewhere.
"""

from napari_s1omni.results.report.page import report, write_report

__all__ = ["report", "write_report"]
