"""The manifest: valid, light, and standing in the real menus and the real palette."""

import subprocess
import sys

from npe2 import PluginManifest

import napari_s1omni
from napari_s1omni.frontends.samples import volume

VERBS = (
    "Open",
    "Segment",
    "Super-resolve",
    "Translate",
    "Preview",
    "Run",
    "Explain",
    "Correct",
    "Load",
    "Measure",
    "Read",
)


def manifest():
    return PluginManifest.from_file(napari_s1omni.__path__[0] + "/napari.yaml")


def test_commands_are_verbs_and_can_be_imported():
    for command in manifest().contributions.commands:
        assert command.title.split()[0] in VERBS
        assert callable(command.python_name and _load(command.python_name))


def _load(name):
    import importlib

    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def test_reading_the_manifest_and_asking_the_reader_imports_nothing_heavy():
    code = (
        "import sys; from npe2 import PluginManifest; import napari_s1omni;"
        "PluginManifest.from_file(napari_s1omni.__path__[0] + '/napari.yaml');"
        "from napari_s1omni.frontends.opening import get_reader; get_reader('/nowhere/a.zarr');"
        "bad = {'torch', 'qtpy', 'napari', 'dask', 'zarr', 'magicgui'} & set(sys.modules); sys.exit(repr(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_menus_and_palette_have_our_commands(viewer):
    from napari._app_model import get_app_model

    app = get_app_model()
    wanted = {
        "napari/layers/segment": {"napari_s1omni.segment", "napari_s1omni.correct", "napari_s1omni.explain"},
        "napari/layers/filter": {"napari_s1omni.super_resolve", "napari_s1omni.translate"},
        "napari/layers/measure": {"napari_s1omni.measure"},
        "napari/file/io_utilities": {"napari_s1omni.open_result", "napari_s1omni.load_job"},
    }
    for menu, commands in wanted.items():
        found = " ".join(item.command.id for item in app.menus.get_menu(menu) if hasattr(item, "command"))
        for command in commands:
            assert command.rsplit(".")[-1] in found or "Measurements" in found, (menu, command, found)
    palette = " ".join(
        item.command.title for item in app.menus.get_menu(app.menus.COMMAND_PALETTE_ID) if hasattr(item, "command")
    )
    for command in manifest().contributions.commands:
        if command.id.split(".")[-1] in (
            "segment",
            "super_resolve",
            "translate",
            "preview",
            "run",
            "explain",
            "correct",
        ):
            assert command.title in palette


def test_preferences_are_typed(viewer):
    from napari_s1omni.frontends.dock.preferences import Preferences

    found = Preferences.read()
    assert found == Preferences("auto", None, None)


def test_samples_open_without_being_computed(viewer):
    for key in ("coins", "tissue"):
        viewer.open_sample("napari_s1omni", key)
    assert viewer.layers["tissue (IHC)"].rgb
    ((levels, options, kind),) = volume()
    assert levels[0].size * levels[0].dtype.itemsize >= 2 * 2**30
    assert levels[-1][1, 5].shape == (512, 512)
    assert kind == "image"
    assert options["axis_labels"] == ("c", "z", "y", "x")
    assert options["units"][-1] == "micrometer"
