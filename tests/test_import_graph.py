"""No module takes part in an import circle: imports in functions and for type checkers counted."""

import grimp
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("napari_s1omni", include_external_packages=False, exclude_type_checking_imports=False)


def circles(graph):
    """Return the groups of two and more modules that import each other, directly or through others."""
    names = sorted(graph.modules)
    at = {name: i for i, name in enumerate(names)}
    pairs = [(at[name], at[other]) for name in names for other in graph.find_modules_directly_imported_by(name)]
    rows, columns = zip(*pairs, strict=True)
    edges = coo_array(([True] * len(pairs), (rows, columns)), shape=(len(names), len(names)))
    _, group_of = connected_components(edges, directed=True, connection="strong")
    groups: dict[int, list[str]] = {}
    for name, group in zip(names, group_of, strict=True):
        groups.setdefault(int(group), []).append(name)
    return sorted(group for group in groups.values() if len(group) > 1)


def test_no_modules_import_each_other_in_a_circle(graph):
    assert circles(graph) == []


def test_a_circle_would_be_found(graph):
    assert graph.find_modules_directly_imported_by("napari_s1omni.jobs.run")
    small = grimp.ImportGraph()
    for name in ("a", "b", "c"):
        small.add_module(name)
    for importer, imported in (("a", "b"), ("b", "c"), ("c", "a")):
        small.add_import(importer=importer, imported=imported)
    assert circles(small) == [["a", "b", "c"]]
