"""A thought as formatted text."""

from __future__ import annotations

import html

from qtpy.QtWidgets import QTextBrowser

from napari_s1omni.engine.protocol import Thought


class TraceView(QTextBrowser):
    """Shows the reasoning and the answer of a thought; its prompt is the tooltip."""

    def __init__(self) -> None:
        super().__init__()
        self.setOpenLinks(False)
        self.setMinimumHeight(90)
        self.setPlaceholderText("The model's thoughts about a tile appear here.")

    def show_thought(self, key: str, thought: Thought, heading: str = "", small: str = "") -> None:
        """Show one thought.

        Parameters
        ----------
        key : str
            Such as ``t0/z0/g0/tile/3/5``.
        thought : Thought
        heading : str
            First line; defaults to the key.
        small : str
            Line below the heading, such as the parameters.
        """
        parts = [f"<p style='margin:0 0 4px 0'><b>{html.escape(heading or key)}</b></p>"]
        if small:
            parts.append(f"<p style='margin:0 0 4px 0; color:#8c8c8c'>{html.escape(small)}</p>")
        if thought.trace:
            parts.append(f"<p style='margin:0'>{_lines(thought.trace)}</p>")
        if thought.answer:
            parts.append(f"<p style='margin:6px 0 0 0'><i>Answer:</i> {_lines(thought.answer)}</p>")
        if thought.remark:
            parts.append(f"<p style='margin:6px 0 0 0; color:#8c8c8c'>{_lines(thought.remark)}</p>")
        if not thought.trace and not thought.answer:
            parts.append("<p>No thought: the prompt was used directly.</p>")
        self.setHtml("".join(parts))
        self.setToolTip(thought.prompt)


def _lines(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")
