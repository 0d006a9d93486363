"""The layers that the dock adds to the viewer."""
