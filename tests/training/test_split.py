"""What nano trains on, and what judges it, never share a field of view."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import pytest

from napari_s1omni.errors import SourceError
from napari_s1omni.training.data.split import FIELDS, read_split, views

DATA = Path(__file__).parents[3] / "shared/data"
needs_data = pytest.mark.skipif(not (DATA / FIELDS).is_file(), reason=f"needs the data in {DATA}")


@needs_data
def test_no_field_is_in_two_subsets():
    view = views(DATA)
    split = read_split(DATA)

    def fields_of(subset):
        return {view.get((folder, stem), f"{folder}/{stem}") for folder, of in split.items() for stem in of[subset]}

    for one, other in itertools.combinations(("train", "validation", "unseen"), 2):
        assert not fields_of(one) & fields_of(other), (one, other)
        assert fields_of(one)


@needs_data
def test_no_pixels_of_an_unseen_source_are_trained_on():
    split = read_split(DATA)

    def digests(subset):
        paths = [
            p for folder, of in split.items() for s in of[subset] for p in (DATA / folder / "images").glob(f"{s}.*")
        ]
        return {hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    assert len(digests("unseen")) > 200
    assert not digests("unseen") & (digests("train") | digests("validation"))


@needs_data
def test_whole_sources_are_kept_from_training():
    split = read_split(DATA)
    for source in ("bbbc039_u2os", "dsb2018_fluo_520x696", "dsb2018_histology_test", "dsb2018_tissue_512x640_more"):
        of = split[f"seg2d_nuclei/{source}"]
        assert of["unseen"], source
        assert not of["train"] + of["validation"], source
    assert split["seg2d_em/axondeepseg_sem_rats"]["unseen"] == ["rat2_data5"]


def test_without_the_table_of_fields_it_says_which_file_is_missing(tmp_path):
    with pytest.raises(SourceError, match=r"FIELDS\.tsv"):
        read_split(tmp_path)


def test_a_field_of_two_images_stays_on_one_side(tmp_path):
    rows = ["file\tfield\tfamily\tobjects\tfold"]
    rows += [f"seg2d_nuclei/a/images/{i}.png\tone\ta\t5\t3" for i in (1, 2)]
    (tmp_path / FIELDS).write_text("\n".join(rows) + "\n")
    assert read_split(tmp_path)["seg2d_nuclei/a"] == {"train": ["1", "2"], "validation": [], "unseen": []}
