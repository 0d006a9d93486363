"""Views of BigDataViewer and BigStitcher."""
