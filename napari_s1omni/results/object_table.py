"""The table of measured objects: columns by name, one row per object, shown as a table in a notebook."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_s1omni.core.units import unit_symbol
from napari_s1omni.errors import JobError
from napari_s1omni.results.tables import Columns, write_table

if TYPE_CHECKING:
    from pathlib import Path

LENGTHS = ("equivalent_diameter_area", "axis_major_length", "axis_minor_length", "perimeter")
"""Columns that hold lengths."""
WORLD = ("centroid_z", "centroid_y", "centroid_x")
"""Columns that hold positions in the world."""
_FIRST = ("label", "area", "equivalent_diameter_area", "intensity_mean", "intensity_mean-0")
"""Columns that a text shows."""
_CONSTANT = ("unit", "area_unit", "pixel_frame")
"""Columns with one value for all objects; a page shows them in the head of the others."""
_ENDS = 5
"""Rows that are shown at either end of a long table."""


class ObjectTable(Columns):
    """Measured objects, as :meth:`napari_s1omni.Result.table` returns them.

    A dict of column to array, so ``table["area"]`` is the area of every object; its length is the number of objects,
    as that of a data frame.

    Examples
    --------
    >>> import numpy as np
    >>> table = ObjectTable(
    ...     label=np.array([1, 2]), area=np.array([9.0, 4.5]), area_unit=np.array(["micrometer^2"] * 2, object)
    ... )
    >>> len(table), table.units["area"]
    (2, 'µm²')
    >>> print(table)
    2 objects, 3 columns
     label  area (µm²)
         1           9
         2         4.5
    """

    def __len__(self) -> int:
        return len(self["label"])

    def __bool__(self) -> bool:
        return len(self) > 0

    @property
    def units(self) -> dict[str, str]:
        """Unit of each column that has one; empty for a table without rows."""
        if not self:
            return {}
        length, area = (unit_symbol(str(self[name][0])) if name in self else "" for name in ("unit", "area_unit"))
        named = {**dict.fromkeys((*LENGTHS, *WORLD), length), "area": area}
        pixels = (name for name in self if name.startswith(("bbox", "centroid-")) or name == "num_pixels")
        named |= dict.fromkeys(pixels, "px")
        return {name: unit for name, unit in named.items() if unit and name in self}

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame`` with one row per object, and the units in its ``attrs["units"]``.

        Raises
        ------
        JobError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise JobError(
                "to_pandas() without the package pandas",
                "it needs the extra 'tables'",
                "pip install 'napari_s1omni[tables]'",
            ) from None
        frame = pandas.DataFrame(dict(self))
        frame.attrs["units"] = self.units
        return frame

    def save(self, path: str | Path) -> None:
        """Write the table as ``.csv`` or ``.parquet``; errors as those of ``s1omni measure``."""
        write_table(self, path)

    def __repr__(self) -> str:
        heads = self._heads([name for name in _FIRST if name in self])
        cells = [
            [*heads.values()],
            *(["..." for _ in heads] if at is None else self._row(heads, at) for at in self._rows()),
        ]
        widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
        lines = (" " + "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in cells)
        return "\n".join((self._size(), *lines))

    def _repr_html_(self) -> str:
        shown = [name for name in self if name not in _CONSTANT]
        heads = self._heads(shown)
        head = "".join(f"<th>{html.escape(text)}</th>" for text in heads.values())
        rows = "".join(
            "<tr>"
            + "".join(f"<td>{cell}</td>" for cell in (["…" for _ in heads] if at is None else self._row(heads, at)))
            + "</tr>"
            for at in self._rows()
        )
        return (
            f"<div><div>{self._size()}</div><div style='overflow-x:auto'><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{rows}</tbody></table></div></div>"
        )

    def _size(self) -> str:
        n, columns = len(self), len(self.keys())
        return f"{n:,} object{'s' * (n != 1)}, {columns} column{'s' * (columns != 1)}"

    def _heads(self, names: list[str]) -> dict[str, str]:
        units = self.units
        return {name: f"{name} ({units[name]})" if name in units else name for name in names}

    def _rows(self) -> list[int | None]:
        """Return the numbers of the rows that are shown; None stands for those between."""
        n = len(self)
        return [*range(n)] if n <= 2 * _ENDS + 1 else [*range(_ENDS), None, *range(n - _ENDS, n)]

    def _row(self, names: dict[str, str], at: int) -> list[str]:
        return [_text(self[name][at]) for name in names]


def _text(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float | np.floating) else html.escape(str(value))
