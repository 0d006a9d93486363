"""Work beside the window: an error is told, and the next work is done."""

import threading

import pytest

from napari_s1omni.frontends.session.background import BackgroundQueue, call_directly

pytest.importorskip("psygnal")


def test_background_work_goes_on_after_an_error():
    failed, done = [], threading.Event()
    background = BackgroundQueue("test", call_directly, failed.append)
    background.submit(lambda: 1 / 0)
    background.submit(done.set)
    assert done.wait(240)
    assert failed[0].kind == "ZeroDivisionError"
    background.close()
