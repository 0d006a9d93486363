"""Environment variables: read when asked, with their defaults, and handed to child processes."""

import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from napari_s1omni import settings
from napari_s1omni.errors import JobError, StoreError


@pytest.fixture(autouse=True)
def unset(monkeypatch, tmp_path):
    for variable in settings.VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_variables_are_sorted_and_named_alike():
    names = [variable.name for variable in settings.VARIABLES]
    assert names == sorted(set(names))
    assert all(name.startswith("S1OMNI_") for name in names)


def test_the_cache_folder_is_the_named_one_then_that_of_the_desktop_then_that_of_the_user(monkeypatch, tmp_path):
    assert settings.cache_folder() == tmp_path / ".cache/napari_s1omni"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "desktop"))
    assert settings.cache_folder() == tmp_path / "desktop/napari_s1omni"
    monkeypatch.setenv("S1OMNI_CACHE", "~/own")
    assert settings.cache_folder() == tmp_path / "own"
    assert (tmp_path / "own").is_dir()


@pytest.mark.parametrize("home", ["/proc/nobody", "/dev/null"])
def test_a_cache_that_cannot_be_written_is_a_temporary_folder_of_this_user_and_is_said(monkeypatch, tmp_path, home):
    assert settings.cache_notes() == ()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("HOME", home)
    folder = settings.cache_folder()
    assert folder == settings.cache_folder() == tmp_path / f"napari_s1omni-{os.getuid()}"
    assert folder.stat().st_mode & 0o077 == 0
    (note,) = settings.cache_notes()
    assert all(words in note for words in (home, str(folder), "S1OMNI_CACHE"))
    # A name that another user could have taken is not used.
    folder.rmdir()
    folder.symlink_to(tmp_path)
    assert settings.cache_folder() not in (folder, tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nothing")
    with pytest.raises(StoreError, match="S1OMNI_CACHE"):
        settings.cache_folder()


def test_a_user_without_a_home_has_a_temporary_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: (_ for _ in ()).throw(KeyError(uid)))
    assert settings.cache_folder().parent == settings.models_folder().parents[2] == tmp_path
    assert "no home folder" in settings.cache_notes()[0]


def test_the_folder_of_real_images_has_no_default(monkeypatch, tmp_path):
    with pytest.raises(JobError, match="S1OMNI_DATA"):
        settings.data_folder()
    monkeypatch.setenv("S1OMNI_DATA", "~")
    assert settings.data_folder() == tmp_path
    with pytest.raises(JobError, match="there is no folder"):
        settings.data_folder(tmp_path / "nowhere")


def test_defaults_hold_where_a_variable_is_empty(monkeypatch, tmp_path):
    for name in ("S1OMNI_PYTHON", "S1OMNI_MODELS", "S1OMNI_NICENESS"):
        monkeypatch.setenv(name, "")
    assert settings.interpreter() == sys.executable
    assert settings.models_folder() == tmp_path / ".cache/s1omni/models"
    assert settings.niceness() == 10


@pytest.mark.parametrize(("written", "expected"), [("0", 0), ("7", 7), ("40", 19), ("-3", 10), ("much", 10)])
def test_niceness(monkeypatch, written, expected):
    monkeypatch.setenv("S1OMNI_NICENESS", written)
    assert settings.niceness() == expected


def test_gpus_that_are_hidden_are_not_gpus_that_are_not_named(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert settings.visible_gpus() is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert settings.visible_gpus() == ()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0, 2")
    assert settings.visible_gpus() == ("0", "2")


def test_a_child_gets_the_environment_with_changes(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    made = settings.child_environment(without=["FORCE_COLOR"], S1OMNI_CACHE="here")
    assert "FORCE_COLOR" not in made
    assert made["S1OMNI_CACHE"] == "here"
    assert settings.library_threads(2) == {"OMP_NUM_THREADS": "3", "MKL_NUM_THREADS": "2"}


def test_what_is_set_for_this_process_is_handed_on(monkeypatch, tmp_path):
    monkeypatch.setenv("S1OMNI_CACHE", "before")
    settings.use_cache_folder(str(tmp_path / "cache"))
    assert settings.cache_folder() == tmp_path / "cache"
    assert Path(settings.child_environment()["S1OMNI_CACHE"]) == tmp_path / "cache"


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, "PASSIVE"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"),
        ({"GOMP_SPINCOUNT": "1000"}, None),
        ({"KMP_BLOCKTIME": "200"}, None),
    ],
    ids=["nobody chose", "policy", "gnu", "intel"],
)
def test_threads_sleep_while_they_wait_unless_somebody_chose(monkeypatch, chosen, expected):
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    assert settings.child_environment().get("OMP_WAIT_POLICY") == expected
    # Where the engine would be loaded, and torch with it, the variable is set.
    code = """
import os, sys
import napari_s1omni.engine.s1omni as engine
sys.modules["napari_s1omni.engine.s1omni.engine"] = None
try:
    engine.load("nano")
except ImportError:
    print(os.environ.get("OMP_WAIT_POLICY"))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert told.stdout.split()[-1] == str(expected), told.stderr


@pytest.mark.parametrize(
    ("written", "expected"), [("1", 1), ("4,2", 4), ("", None), ("0", None), ("many", None)], ids=str
)
def test_threads_that_a_scheduler_set(monkeypatch, written, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", written)
    assert settings.chosen_threads() == expected


@pytest.mark.parametrize("wrong", ["-1", "20GB", "inf", "nan"])
def test_the_room_for_kept_tiles_is_a_number_of_gigabytes(monkeypatch, wrong):
    monkeypatch.setenv("S1OMNI_SCRATCH", "0.5")
    assert settings.scratch_bytes() == 500_000_000
    monkeypatch.setenv("S1OMNI_SCRATCH", wrong)
    with pytest.raises(JobError, match="A number of gigabytes"):
        settings.scratch_bytes()
