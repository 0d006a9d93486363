"""A small OME-Zarr plate with real wells and fields."""

import json

from stored_layers import store_layer

from napari_s1omni.storage.source import open_source


def group(path, ome):
    path.mkdir(parents=True, exist_ok=True)
    document = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5", **ome}}}
    (path / "zarr.json").write_text(json.dumps(document), encoding="utf-8")


def write_plate(path, wells):
    """Write ``{"A/1": [image, ...]}`` as a plate of OME-Zarr 0.5; each image is (y, x)."""
    rows, columns = ([{"name": n} for n in sorted({w.split("/")[i] for w in wells})] for i in (0, 1))
    listed = [
        {
            "path": well,
            "rowIndex": [r["name"] for r in rows].index(well.split("/")[0]),
            "columnIndex": [c["name"] for c in columns].index(well.split("/")[1]),
        }
        for well in wells
    ]
    group(path, {"plate": {"name": "test", "rows": rows, "columns": columns, "wells": listed}})
    for well, fields in wells.items():
        group(path / well.split("/")[0], {})
        group(path / well, {"well": {"images": [{"path": str(i)} for i in range(len(fields))]}})
        for i, pixels in enumerate(fields):
            store_layer(open_source(pixels, axes="yx", scale=0.5, units="um"), path / well / str(i))
    return path
