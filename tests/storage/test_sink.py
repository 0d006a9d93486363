"""Both sinks pass the conformance suite."""

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.sinks.memory_sink import MemorySink
from napari_s1omni.testing.sink_tests import SinkTests


class TestMemorySink(SinkTests):
    def make(self, target, block, folder):
        return MemorySink(target, block)

    def test_reading_gives_a_copy(self, tmp_path):
        sink = self.make(LayerSpec((16, 16), ("y", "x"), "uint8"), (16, 16), tmp_path)
        sink.read((slice(0, 16), slice(0, 16)))[...] = 5
        assert not sink.levels[0].any()


class TestResultStore(SinkTests):
    def make(self, target, block, folder):
        return ResultStore.create(
            folder / "out", target=target, block=block, attributes={}, name="result", disk=Disk(durable=False)
        )


class TestReopenedResultStore(SinkTests):
    """A second process continues where the first one stopped."""

    def make(self, target, block, folder):
        TestResultStore().make(target, block, folder)
        return ResultStore.open(folder / "out", "r+", disk=Disk(durable=False))
