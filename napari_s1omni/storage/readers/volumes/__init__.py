"""Volumes of electron and light-sheet microscopy: HDF5, Imaris, BigDataViewer, N5, precomputed, MRC, zipped Zarr."""
