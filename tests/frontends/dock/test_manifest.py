"""The manifest: valid, light to import, and present in the real menus and command palette."""

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
from npe2 import PluginManifest
from qtpy.QtWidgets import QPushButton

import napari_s1omni
from napari_s1omni.frontends.dock.shortcuts import CROP_KEYS, MERGE_KEYS, PREVIEW_KEYS, RUN_KEYS
from napari_s1omni.frontends.napari_layers.sample_data import volume

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
    "Merge",
    "Undo",
    "Pause",
    "Cancel",
    "Copy",
    "Try",
    "Accept",
    "Use",
    "Restore",
    "Save",
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
        "from napari_s1omni.frontends.napari_layers.reader import get_reader; get_reader('/nowhere/a.zarr');"
        "bad = {'torch', 'qtpy', 'napari', 'dask', 'zarr', 'magicgui'} & set(sys.modules); sys.exit(repr(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.ome.tiff", "table.csv", "a.txt"])
def test_the_reader_does_not_claim_the_files_of_others(name):
    patterns = [pattern for reader in manifest().contributions.readers for pattern in reader.filename_patterns]
    assert not [pattern for pattern in patterns if fnmatch(name, pattern)]
    assert [pattern for pattern in patterns if fnmatch("nuclei.zarr", pattern)]


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
    widgets = {widget.command: widget.display_name for widget in manifest().contributions.widgets}
    samples = {sample.command for sample in manifest().contributions.sample_data}
    for command in manifest().contributions.commands:
        if command.id not in samples and not command.id.endswith("get_reader"):
            assert widgets.get(command.id, command.title) in palette


def test_every_command_works_or_tells_why_not(viewer, panel, until, told, monkeypatch):
    from napari._app_model import get_app_model
    from qtpy.QtWidgets import QApplication, QFileDialog

    commands = get_app_model().commands

    def do(name):
        return commands.execute_command(f"napari_s1omni.{name}").result()

    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    page = panel.job_page
    for name, kind in (("super_resolve", "super_resolution"), ("translate", "modality_translation"), ("segment",) * 2):
        do(name)
        assert panel.controller.document["operation"]["type"].startswith(kind[:7])
    do("explain")
    assert panel.tabs.currentWidget() is panel.why_page
    # Without a layer each of these says so, once.
    for name, words in {
        "run": "no image layer",
        "preview": "no image layer",
        "correct": "no labels are open",
        "copy_job": "no image layer",
        "pause": "no run is in progress",
        "cancel": "no run is in progress",
        "undo": "no correction to undo",
        "merge": "no crop is open",
        "another_seed": "no tile is selected",
        "another_wording": "no prompt was entered",
        "accept": "was tried again",
        "undo_tile": "no accepted tile",
        "use_for_all": "no tile was tried",
        "restore": "no previous result to restore",
        "save_table": "nothing is measured",
    }.items():
        told.clear()
        do(name)
        until(told)
        assert [words in one.lower() for one in told()] == [True], (name, told())
    viewer.open_sample("napari_s1omni", "coins")
    until(lambda: panel.controller.prepared is not None)
    for name, words in {
        "copy_job": "schema_version",
        "copy_python": "import napari_s1omni",
        "copy_command": "s1omni segment",
    }.items():
        do(name)
        until(lambda words=words: words in QApplication.clipboard().text())
    do("load_job")
    do("open_result")
    assert page.run_button.isEnabled()


def test_commands_click_the_buttons_of_their_pages(viewer, panel):
    from napari._app_model import get_app_model

    _, table = viewer.window.add_plugin_dock_widget("napari_s1omni", "Measurements")
    redo = panel.why_page.redo
    redo.prompt.setText("about 12 px")
    buttons = {
        "another_seed": redo.try_seed,
        "another_wording": redo.try_prompt,
        "accept": redo.accept,
        "undo_tile": redo.undo,
        "use_for_all": redo.use_for_job,
        "restore": panel.correct_page.restore_button,
        "save_table": table.save_button,
    }
    pressed = []
    for name, made in buttons.items():
        made.clicked.disconnect()
        made.clicked.connect(lambda _, name=name: pressed.append(name))
        made.setEnabled(True)
        get_app_model().commands.execute_command(f"napari_s1omni.{name}").result()
    assert pressed == list(buttons)
    table.shut()


def test_buttons_show_their_shortcuts(panel):
    for keys in (PREVIEW_KEYS, RUN_KEYS, CROP_KEYS, MERGE_KEYS):
        assert [one for one in panel.findChildren(QPushButton) if f"({keys})" in one.toolTip()], keys


def test_menus_named_in_the_documentation_exist(viewer):
    """``*File > Open Sample > ...*`` of README and documentation, walked through in the real menu bar."""
    root = Path(napari_s1omni.__path__[0]).parent
    if not (root / "README.md").is_file():
        pytest.skip("the pages are not installed with the package")
    text = (root / "README.md").read_text() + (root / "docs/napari.md").read_text()
    named = re.findall(r"\*((?:File|Layers|Plugins|View)(?: > [^*>\n]+)+)\*", text)
    assert len(named) >= 4
    for path in named:
        menu, words = viewer.window._qt_window.menuBar(), path.split(" > ")
        for word in words:
            if hasattr(menu, "aboutToShow"):
                menu.aboutToShow.emit()
            titles = {action.text().replace("&", ""): action for action in menu.actions()}
            found = [
                title for title in titles if title.startswith(word) and (word == words[-1] or titles[title].menu())
            ]
            assert found, f"{path}: no '{word}' in {list(titles)}"
            menu = titles[found[0]].menu()


def test_preferences_are_typed_and_applied(viewer, tmp_path, monkeypatch, request):
    from napari.settings import get_plugin_settings

    from napari_s1omni.frontends.dock.preferences import Preferences
    from napari_s1omni.settings import cache_folder

    assert Preferences.read() == Preferences("auto", None, None)
    engines = get_plugin_settings()["napari_s1omni"].engines
    monkeypatch.setattr(engines, "engine", "reference")
    monkeypatch.setattr(engines, "interpreter", "/opt/python")
    monkeypatch.setattr(engines, "scheduler", "tcp://host:8786")
    monkeypatch.setattr(engines, "cache_folder", str(tmp_path / "elsewhere"))
    assert Preferences.read() == Preferences("reference", "/opt/python", "tcp://host:8786")
    assert cache_folder() == tmp_path / "elsewhere"
    made = request.getfixturevalue("panel")
    assert made.controller.queue.python == "/opt/python"
    assert made.controller.queue.options == ("--scheduler", "tcp://host:8786")
    assert made.job_page.engine.currentText() == "reference"


def test_large_samples_open_lazily(viewer):
    for key in ("coins", "tissue"):
        viewer.open_sample("napari_s1omni", key)
    assert viewer.layers["tissue (IHC)"].rgb
    ((levels, options, kind),) = volume()
    assert levels[0].size * levels[0].dtype.itemsize >= 2 * 2**30
    assert levels[-1][1, 5].shape == (512, 512)
    assert kind == "image"
    assert options["axis_labels"] == ("c", "z", "y", "x")
    assert options["units"][-1] == "micrometer"
