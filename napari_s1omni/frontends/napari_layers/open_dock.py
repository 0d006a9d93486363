"""Opening the dock by its name in the plugin manifest."""

from __future__ import annotations

from typing import Any

PLUGIN = "napari_s1omni"
"""Name of this plugin in napari."""
DOCK = "Think and generate"
"""Display name of the dock in the manifest."""


def open_dock(viewer: Any) -> Any:
    """Return the dock of a viewer, opened if necessary."""
    return viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)[1]


def offer_dock() -> None:
    """Show a notification that opens the dock for a job file; an open dock takes the job by itself."""
    try:
        import napari
        from napari.utils.notifications import Notification, NotificationSeverity, notification_manager
    except ImportError:
        # Other programs use readers of napari plugins too.
        return

    viewer = napari.current_viewer()
    if viewer is None or any(name.startswith(DOCK) for name in viewer.window.dock_widgets):
        return
    open_it = ("Open the dock", lambda shown: open_dock(viewer))
    message = f"Open the dock '{DOCK}' to run this job."
    notification_manager.dispatch(Notification(message, NotificationSeverity.INFO, (open_it,)))
