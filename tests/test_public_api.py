"""The public names: importable, documented, with full signatures, and of use to somebody who knows nothing else."""

import doctest
import inspect
import json
import re

import numpy as np
import pytest

import napari_s1omni
from napari_s1omni.jobs.options import RUN_OPTIONS, option_fields
from napari_s1omni.operations import OPERATIONS

FUNCTIONS = [name for name in napari_s1omni.__all__ if inspect.isfunction(getattr(napari_s1omni, name))]
VERBS = {entry.verb: operation for operation, entry in OPERATIONS.items()}


@pytest.mark.parametrize("name", napari_s1omni.__all__)
def test_every_name_is_documented(name):
    found = getattr(napari_s1omni, name)
    assert len(inspect.getdoc(found) or "") > 40
    assert found.__module__.removeprefix("napari_s1omni.").startswith(napari_s1omni._MODULES[name])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_is_typed_and_documented(name):
    function = getattr(napari_s1omni, name)
    documented = set()
    section = re.search(r"Parameters\n-+\n(.*?)(?:\n\n[A-Z]\w+\n-+|$)", inspect.getdoc(function), re.S)[1]
    for entry in re.findall(r"^(\S[^:\n]*)", section, re.M):
        documented |= {part.strip().lstrip("*") for part in entry.split(",")}
    parameters = inspect.signature(function).parameters.values()
    assert {p.name for p in parameters} == documented
    assert all(p.annotation is not p.empty for p in parameters)
    assert "Examples\n--------" in inspect.getdoc(function)


@pytest.mark.parametrize(("verb", "operation"), VERBS.items())
def test_a_verb_shows_every_option_with_its_default(verb, operation):
    shown = inspect.signature(getattr(napari_s1omni, verb)).parameters
    assert not any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in shown.values())
    fields = option_fields(operation)
    assert set(shown) == {"source", "output", "block", *fields, *RUN_OPTIONS}
    for name, (_, field) in fields.items():
        assert shown[name].default == (inspect.Parameter.empty if field.is_required() else field.default)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_examples_do_what_they_show(name):
    found = doctest.DocTestFinder(recurse=False).find(getattr(napari_s1omni, name), name, module=False, globs={})
    outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found[0])
    assert outcome.failed == 0


def test_sources_sizes_and_regions(tmp_path):
    source = napari_s1omni.open_source(np.arange(3 * 64 * 80).reshape(3, 64, 80), axes="zyx", scale=0.5, units="um")
    assert isinstance(source, napari_s1omni.Source)
    assert isinstance(source.spec, napari_s1omni.LayerSpec)
    assert source.read().shape == source.spec.shape == (3, 64, 80)
    assert napari_s1omni.object_size("nuclei of about 10 um", source.spec) == 20
    assert napari_s1omni.object_size("nuclei", source.spec) is None
    assert napari_s1omni.length_in_px("10 um", source.spec) == 20
    assert napari_s1omni.length_in_px(7, source.spec) == 7
    assert napari_s1omni.length_in_px("25 um2", source.spec, 2) == 100
    outline = tmp_path / "outline.geojson"
    corners = [[8, 4], [40, 4], [40, 20], [8, 20], [8, 4]]
    outline.write_text(json.dumps({"type": "Polygon", "coordinates": [corners]}))
    np.save(tmp_path / "mask.npy", np.pad(np.ones((16, 32), np.uint8), ((4, 44), (8, 40))))
    flat = source.spec.without("z")
    for path in (outline, tmp_path / "mask.npy"):
        region = napari_s1omni.open_region(path, flat)
        assert (region.bounds["y"], region.bounds["x"]) == ((4, 20), (8, 40))
        assert region.mask(0, (0, 1), (0, 64), (0, 80)).sum() == 16 * 32


def test_a_layer_of_napari_has_a_source():
    layers = pytest.importorskip("napari.layers")
    found = napari_s1omni.layer_source(layers.Image(np.zeros((5, 64, 64)), scale=(2, 0.5, 0.5), units=("um",) * 3))
    assert found.axes == "zyx"
    assert found.spec.scale == (2, 0.5, 0.5)
