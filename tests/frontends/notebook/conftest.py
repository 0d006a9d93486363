import pytest

pytest.importorskip("psygnal", reason="the notebook panel needs the extra 'notebook'")
pytest.importorskip("anywidget", reason="the notebook panel needs the extra 'notebook'")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder for each test."""
    monkeypatch.setenv("S1OMNI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path / "cache"
