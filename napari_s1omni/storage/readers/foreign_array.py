"""Arrays of other libraries as numpy arrays: dask, torch, cupy, jax, pint, masked arrays; and what is no array."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError

_ALLOWED = "a source is a path, or an array with shape, dtype and slices"
_INSTEAD = {
    "pandas": "give its numbers with to_numpy()",
    "polars": "give its numbers with to_numpy()",
    "PIL": "give its path, or numpy.asarray(image.convert('RGB'))",
    "SimpleITK": "give its path, or SimpleITK.GetArrayFromImage(image) with axes and scale",
    "itk": "give its path, or itk.array_from_image(image) with axes and scale",
    "nibabel": "give the path of its file",
    "tifffile": "give the path of its file",
    "h5py": "give one of its datasets",
    "zarr": "give the path of an image inside, or one of its arrays",
    "napari": "give layer.data with axes and scale, or open the dock",
    "bioio": "give image.xarray_dask_data",
    "aicsimageio": "give image.xarray_dask_data",
    "dask": "give its result with compute(), or dask.array.from_delayed with shape and dtype",
    "scipy": "give its numbers with toarray()",
    "sparse": "give its numbers with todense()",
    "napari_s1omni": "give its path",
    "builtins": "give numpy.asarray of it if it holds the numbers of one image",
}
"""Top package of an object that is no array -> what to give instead."""
_TABLES_AND_PICTURES = ("pandas", "polars", "PIL", "scipy", "sparse")
"""Packages whose objects turn into arrays of something else than their pixels, or of all their zeros."""


def refuse(array: Any) -> SourceError:
    """Return the error for an object that is no array; it says what to give instead."""
    kind = type(array).__name__
    held = getattr(array, "data_vars", None)
    if held is not None and not callable(held):
        names = [str(name) for name in held]
        chosen = f"choose one of its arrays, such as dataset[{names[0]!r}]" if names else "choose one of its arrays"
        return SourceError(f"a {kind} of the arrays {', '.join(names) or 'none'}", _ALLOWED, chosen)
    article = "an" if kind[:1] in "AEIOaeio" else "a"
    return SourceError(f"{article} {kind}", _ALLOWED, _INSTEAD.get(_package(array), "give numpy.asarray of it"))


def is_array(array: Any) -> bool:
    """Whether an object is an array, or can be turned into one as a whole."""
    if _package(array) in _TABLES_AND_PICTURES:
        return False
    # A delayed value of dask promises every attribute, as something to call.
    sliced = all(hasattr(array, name) for name in ("shape", "dtype", "__getitem__")) and not callable(array.shape)
    return sliced or any(hasattr(array, name) for name in ("__array__", "__array_interface__", "__dlpack__"))


def shape_of(array: Any) -> tuple[int, ...]:
    """Return the shape of an array.

    Raises
    ------
    SourceError
        If it is not known before the array is computed, or the array is closed.
    """
    kind = type(array).__name__
    try:
        shape = tuple(array.shape)
    except Exception as error:
        raise SourceError(f"the {kind} cannot be read: {error}", remedy="open it again") from error
    try:
        return tuple(int(n) for n in shape)
    except (TypeError, ValueError) as error:
        raise SourceError(
            f"the {kind} has the shape {shape}, which is known only after it is computed",
            "a source has a known shape",
            "call compute_chunk_sizes() first, or give array.compute()",
        ) from error


def chunks_of(array: Any, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the largest chunk per dimension, where an array says so."""
    try:
        chunks = tuple(max(c) if isinstance(c, tuple) else int(c) for c in array.chunks)
    except Exception:
        return None
    return chunks if len(chunks) == len(shape) and all(c > 0 for c in chunks) else None


@dataclass(frozen=True, slots=True)
class ComputedPixels:
    """An array of another library, computed box by box."""

    array: Any
    """The user's object."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, array: Any) -> ComputedPixels:
        """Wrap an array; its type is that of its pixels in numpy."""
        shape = shape_of(array)
        try:
            dtype = np.dtype(array.dtype)
        except Exception:
            dtype = _read(array, tuple(slice(0, 1) for _ in shape)).dtype
        return cls(array, shape, without_mask_type(dtype) if is_masked(array) else dtype)

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        part = _read(self.array, index)
        kind = type(self.array).__name__
        wanted = tuple(len(range(*cut.indices(n))) for cut, n in zip(index, self.shape, strict=True))
        if part.shape != wanted:
            raise SourceError(
                f"the {kind} has the shape {self.shape}, but reading {index} of it gives the shape {part.shape}",
                "an array has the shape that it states",
                "correct the shape, chunks or meta it was made with, or give it as numpy array",
            )
        if part.dtype == self.dtype:
            return part
        with np.errstate(all="ignore"):
            stated = part.astype(self.dtype)
        if self.dtype.kind != "f" and not np.array_equal(stated, part):
            raise SourceError(
                f"the {kind} states the type {self.dtype}, but its pixels are {part.dtype} and do not fit into it",
                "an array has the type that it states; masked pixels need a type that has NaN",
                f"correct the type it was made with, or convert it with astype('{part.dtype}')",
            )
        return stated


def to_numpy(array: Any) -> NDArray[Any]:
    """Return an array of any library as numpy array; masked pixels become NaN.

    Raises
    ------
    TypeError
        If it cannot be converted.
    """
    for step in ("compute", "detach", "cpu", "resolve_conj", "as_numpy"):
        if not isinstance(array, np.ndarray) and callable(getattr(array, step, None)):
            array = getattr(array, step)()
    if hasattr(array, "magnitude") and hasattr(array, "units"):
        array = to_numpy(array.magnitude)
    if isinstance(array, np.ma.MaskedArray):
        return fill_masked(array)[0]
    if isinstance(array, np.ndarray):
        return np.asarray(array)
    for convert in (_by_protocol, lambda a: a.get(), lambda a: a.numpy(), lambda a: a.float().numpy(), np.from_dlpack):
        try:
            found = convert(array)
        except (AttributeError, TypeError, RuntimeError, ValueError, BufferError):
            continue
        if isinstance(found, np.ndarray) and found.dtype.kind != "O":
            return found
    raise TypeError(f"a {type(array).__name__} cannot be converted to a numpy array")


def fill_masked(array: Any) -> tuple[NDArray[Any], str]:
    """Return a masked array with NaN for masked pixels, and a note; whole numbers become floats where some are masked.

    The note is empty if nothing is masked.
    """
    mask = np.ma.getmaskarray(array)
    values = np.ma.getdata(array)
    if values.dtype.kind not in "iufb" or not mask.any():
        return values, ""
    dtype = without_mask_type(values.dtype)
    filled = np.array(values, dtype)
    filled[mask] = np.nan
    became = "" if dtype == values.dtype else f", and its type {values.dtype} becomes {dtype}"
    return filled, f"{int(mask.sum())} masked pixels are read as NaN{became}"


def is_masked(array: Any) -> bool:
    """Whether a dask array has masked chunks."""
    return isinstance(getattr(array, "_meta", None), np.ma.MaskedArray)


def without_mask_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the float type that holds every value of a type, and NaN."""
    return dtype if dtype.kind == "f" else np.dtype(np.float32 if dtype.itemsize <= 2 else np.float64)


def without_unit(array: Any) -> tuple[Any, list[str]]:
    """Return the numbers of a quantity of pint or astropy, and a note on its unit, which is not kept."""
    inside = getattr(array, "magnitude", None) if hasattr(array, "units") else getattr(array, "value", None)
    unit = getattr(array, "units", getattr(array, "unit", ""))
    if inside is None or not hasattr(inside, "shape"):
        return array, []
    return inside, [f"the unit '{unit}' of the pixel values is not kept"] if str(unit) else []


def _by_protocol(array: Any) -> NDArray[Any]:
    if not (hasattr(array, "__array__") or hasattr(array, "__array_interface__")):
        raise TypeError
    return np.asarray(array)


def _read(array: Any, index: tuple[slice, ...]) -> NDArray[Any]:
    try:
        with warnings.catch_warnings():
            # pint warns that the unit is lost, of which a note tells.
            warnings.filterwarnings("ignore", message=".*unit of the quantity is stripped.*")
            return to_numpy(array[index])
    except Exception as error:
        words = str(error).strip().partition("\n")[0][:200]
        raise SourceError(
            f"reading {index} of the {type(array).__name__} failed: {words or type(error).__name__}",
            remedy="compute that part yourself to see where it fails, or give it as numpy array",
        ) from error


def _package(array: Any) -> str:
    return type(array).__module__.partition(".")[0]
