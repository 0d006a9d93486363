"""The layers that the dock adds: results, previews, tile overlays and crops."""
