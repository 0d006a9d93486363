"""The legend of the tile colours."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_s1omni.frontends.session.run import Run
from napari_s1omni.frontends.views.tile_colours import COLOURS, RANGES, Quantity


class TileLegend(QLabel):
    """Explains the colours of a run's tiles."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setWordWrap(True)

    def show_legend(self, run: Run, by: Quantity) -> None:
        """Show the counts of each state, or the ends of the colour scale."""
        if by != "state":
            low, high = (f" ({end:g})" for end in RANGES[by]) if by in RANGES else ("", "")
            self.setText(f"dark = low{low}, yellow = high{high}, grey = no data")
            return
        counts = run.tiles.counts()
        waiting = max(0, run.status.tiles_total - sum(counts.values()))
        entries = {**counts, **({"waiting": waiting} if waiting else {})}
        self.setText(
            " &nbsp; ".join(
                f"<span style='color:rgb{COLOURS[k][:3]}'>■</span> {k} {n:,}" for k, n in entries.items() if n
            )
        )
