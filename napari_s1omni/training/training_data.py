"""The training data of a recipe: the pool of fields, samplers on it, and the tokenizer. Made once and kept on disk."""

from __future__ import annotations

import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from napari_s1omni.engine.s1omni.checkpoint.config import TOKENIZER_NAME, PromptingConfig
from napari_s1omni.engine.s1omni.thinker.prompting import PromptTokenizer
from napari_s1omni.settings import data_folder
from napari_s1omni.training.data.pool import PreparedField, prepare, read_pool, write_pool, write_simulated_pool
from napari_s1omni.training.data.real_fields import real_fields
from napari_s1omni.training.data.sampler import Sampler
from napari_s1omni.training.data.samples import Mixture
from napari_s1omni.training.prompts.tokenizer import train_tokenizer
from napari_s1omni.training.recipe import Recipe


class TrainingData:
    """The data of one training, made on demand in the recipe's folder.

    Parameters
    ----------
    recipe : Recipe
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.folder = recipe.work_folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self._fields: tuple[list[PreparedField], list[PreparedField]] | None = None

    def fields(self) -> tuple[list[PreparedField], list[PreparedField]]:
        """Return the real and the simulated training fields; missing pools are simulated first."""
        if self._fields is None:
            pool = self.recipe.pool
            paths = {self.folder / "pool" / f"simulated_{seed}.safetensors": (seed, n) for seed, n in pool.simulated}
            missing = {path: seed_count for path, seed_count in paths.items() if not path.is_file()}
            if len(missing) > 1 and self.recipe.workers > 1:
                with ProcessPoolExecutor(self.recipe.workers, get_context("spawn")) as processes:
                    list(processes.map(write_simulated_pool, missing, missing.values()))
            else:
                for path, seed_count in missing.items():
                    write_simulated_pool(path, seed_count)
            self._fields = self._real_fields(), [field for path in paths for field in read_pool(path)]
        return self._fields

    def pack_pool(self) -> Path | None:
        """Write the real fields to the recipe's packed file, for a machine without the data; return the file."""
        if self.recipe.pool.packed is None:
            return None
        path = Path(self.recipe.pool.packed)
        if not path.is_file():
            write_pool(path, self._real_fields(), packed=True)
        return path

    def sampler(self, mixture: Mixture, stream_seed: int) -> Sampler:
        """Return a sampler of the training fields with its own stream of random numbers."""
        real, simulated = self.fields()
        return Sampler(real, simulated, mixture, self.recipe.seed * 1000 + stream_seed)

    def prompting(self) -> PromptTokenizer:
        """Return the tokenizer: that of `start`, or one trained on instructions and traces of the pool."""
        path = self.folder / TOKENIZER_NAME
        if not path.is_file() and self.recipe.start is not None:
            shutil.copy(Path(self.recipe.start) / TOKENIZER_NAME, path)
        if not path.is_file():
            sampler = self.sampler(Mixture(simulated=0.6, super_resolution=0.12, translation=0.12), 7)
            backbone = self.recipe.backbone
            samples = (sampler.draw(64) for _ in range(backbone.tokenizer_samples))
            texts = (sample.instruction + "\n" + sample.truth.trace for sample in samples)
            train_tokenizer(texts, backbone.vocabulary).save(str(path))
        return PromptTokenizer.read(self.folder, PromptingConfig())

    def _real_fields(self) -> list[PreparedField]:
        packed = self.recipe.pool.packed
        if packed is not None and Path(packed).is_file():
            return read_pool(Path(packed))
        path = self.folder / "pool" / "real.safetensors"
        if not path.is_file():
            data = data_folder(self.recipe.pool.data, "pool.data")
            write_pool(path, [prepare(field) for field in real_fields(data, "train")])
        return read_pool(path)
