"""What is read of each format and what is not, for ``docs/formats.md``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FormatDescription:
    """One row of the table."""

    name: str
    endings: tuple[str, ...]
    """File endings; empty for what is no file."""
    read: str
    """What is used."""
    ignored: str
    """What is not used."""
    seen: str
    """Where a user sees what was decided."""


FORMATS = (
    FormatDescription(
        "OME-Zarr 0.4 and 0.5",
        (),
        "Pixels of every level, axes, scale and translation of each level, units, names of channels, labels.",
        "Colours and contrast limits of channels, tables, transformations between images.",
        "A note for each level or key that is not used; an error names its key. A plate is an error that lists "
        "its wells.",
    ),
    FormatDescription(
        "Zarr array, v2 and v3",
        (),
        "Pixels, names of dimensions (v3).",
        "All other attributes.",
        "A note with the axes that were assumed, if the array does not name them.",
    ),
    FormatDescription(
        "TIFF",
        (".tif", ".tiff", ".btf", ".tf2", ".tf8", ".ptif", ".ptiff"),
        "Pixels of every type and level, BigTIFF, both byte orders. Colours as they are seen: 0 as white "
        "(MinIsWhite) is inverted; CMYK and YCbCr become RGB; colours multiplied by alpha are divided by it; the "
        "tag Orientation is applied. The pixel size of the tags XResolution and YResolution if it is no "
        "resolution for printing.",
        "Resolutions for printing and screens (72, 96, 150, 300 dpi and alike, per inch or centimetre, or both "
        "mixed up); positions of GeoTIFF; ICC profiles; a fourth sample of unknown meaning. CIELab and LogLuv are "
        "refused.",
        "A note for each of these. A file of several images of about one size is an error that lists them: "
        "`cells.tif::1` opens the second; beside one large image, small ones are only noted.",
    ),
    FormatDescription(
        "ImageJ TIFF",
        (),
        "Axes, unit, pixel size, distance of planes (1 if ImageJ left it out), frame interval, labels of "
        "channels; hyperstacks above 4 GB. Numbers as ImageJ measures them.",
        "Lookup tables, overlays, the text Info, the origin.",
        "A note if a lookup table, an inverted one, or a size that is not above 0 was not used.",
    ),
    FormatDescription(
        "OME-TIFF",
        (),
        "Axes, physical sizes with units, time increment, names of channels, pyramid in SubIFDs; also from a "
        "companion file and from OME-XML in UTF-16. Of several images, the one that is chosen.",
        "Stage positions, colours, instrument, regions of interest.",
        "A note if the XML is broken, planes are missing, or a size is not above 0. Several images are an error that "
        "lists them.",
    ),
    FormatDescription(
        "Slide scanners",
        (".svs", ".ndpi", ".scn", ".bif", ".qptiff", ".qpi", ".avs", ".zif"),
        "The scanned image with its levels, tile by tile. Pixel size from MPP (Aperio), from the tags (Hamamatsu, "
        "Akoya), from the view (Leica), from ScanRes (Roche), from DICOM_PIXEL_SPACING (Philips). Names of "
        "channels (Akoya).",
        "Label, macro and thumbnail; the position on the slide; the overlap of Roche tiles.",
        "A note lists the other images and their numbers. JPEG and JPEG 2000 tiles need `imagecodecs`; the error "
        "says so.",
    ),
    FormatDescription(
        "DICOM whole slide",
        (),
        "The folder of a slide, or one of its files: all levels tile by tile, focal planes, optical paths as channels "
        "with their wavelength, pixel size, objective, scanner, date, place on the glass. By wsidicom (Apache-2.0); "
        "tried on files written as the standard says, not on one of a scanner.",
        "Annotations, specimen and staining.",
        "Label and overview are images of their own. Several slides in a folder are an error that lists them; a file "
        "that cannot be read is an error; a note says if the finest level is missing.",
    ),
    FormatDescription(
        "Microscopes that write TIFF",
        (".lsm", ".stk", ".flex"),
        "Pixel size, distance of planes and time step of Zeiss LSM and SEM, MetaMorph, MetaXpress, FluoView, "
        "Olympus SIS, Opera Flex, Micro-Manager, FEI and TVIPS; names of channels of LSM and Micro-Manager.",
        "Laser, filter and stage settings; thumbnails of LSM.",
        "A note for each size that is no size.",
    ),
    FormatDescription(
        "Zeiss CZI",
        (".czi",),
        "Each scene is an image, named by its well and its name in ZEN; views, illuminations, phases, rotations and "
        "channels of colours, are images of their own. Regions of a mosaic at any level, without compression or with "
        "JPEG XR or Zstandard; 8 and 16 bits, 32-bit floats, colours of 8 and 16 bits. Pixel size, time step, "
        "channels with colour and wavelengths, objective, date, stage position. By pylibCZIrw (LGPL-3.0-or-later); "
        "tried on a time series of ZEN 3.2 and on files that it writes. JPEG XR is not tried.",
        "Attachments, masks, drawings, times of single tiles, the place of a scene among the others. Files in several "
        "parts, and other pixel types and compressions, are refused.",
        "A note for planes and tiles that were never written, for the part of a mosaic without tiles, and for scenes "
        "that overlap, by name. An error for a file that is cut off or still being written.",
    ),
    FormatDescription(
        "Nikon ND2",
        (".nd2",),
        "Each stage position is an image, named as in NIS-Elements; so is each index of a custom loop. Frames are "
        "read from the mapped file, compressed ones as a whole. Pixel size, distance of planes, the mean of the "
        "measured time steps, channels with colour and wavelengths, objective, date, stage position. By nd2 "
        "(BSD-3-Clause); tried on a confocal stack of a Nikon A1 and on files written for the tests. Files in JPEG "
        "2000, from before 2010, are not tried.",
        "Regions of interest, binary layers, events, JOBS. Compression with loss is refused.",
        "A note for frames that were never written and for uneven time steps.",
    ),
    FormatDescription(
        "Leica LIF, LOF, XLIF, XLEF",
        (".lif", ".lof", ".xlif", ".xlef"),
        "Each image, named by its folders, is read from the mapped file; of XLEF and XLIF, from the files beside it. "
        "Emission and excitation wavelengths are channels, named by their nanometres; with channels, one for each "
        "pair. The rows of an x-z scan are z, those of an x-t scan time. Tiles of a mosaic, slices, loops and "
        "rotations are images of their own. Pixel size, time step, objective, date, stage position. By liffile "
        "(BSD-3-Clause); tried on wavelength scans of a TCS SP8 and on files written for the tests. LOF, XLIF and "
        "XLEF are written from the documentation of the library, and not tried on files of LAS X.",
        "Raw lifetime recordings (FLIM), lookup tables, regions of interest, settings of lasers and detectors. "
        "Mosaics are not stitched.",
        "A note for wavelengths, scans without rows, uneven time steps, and files beside it that cannot be read. "
        "Images before the end of a file that is cut off are read.",
    ),
    FormatDescription(
        "PNG, JPEG, JPEG 2000, WebP, BMP, TGA, PNM",
        (
            *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".j2k", ".jpc", ".jpx"),
            *(".webp", ".bmp", ".dib", ".tga", ".pbm", ".pgm", ".ppm", ".pnm", ".pfm"),
        ),
        "Grey of 1 to 32 bits, colours of 8 bits, CMYK as RGB. The orientation that the camera noted (EXIF) is "
        "applied. The frames of an animation are t.",
        "Dots per inch: a picture has no pixel size. ICC profiles, gamma, other EXIF. More than 8 bits per colour "
        "are refused, because the decoder would drop them; so are more than 179 million pixels.",
        "A note for orientation, conversions, dots per inch and frames.",
    ),
    FormatDescription(
        "GIF",
        (".gif",),
        "Its colours; the frames are t, with their duration as the time step if it is the same for all.",
        "Comments, number of repetitions.",
        "A note with the number of frames.",
    ),
    FormatDescription(
        "Palettes of PNG, GIF, BMP, TGA and TIFF",
        (),
        "A palette of greys or of one hue is read as brightness; one that grows smoothly brighter is a lookup "
        "table: its numbers are read, as for every palette of ImageJ or of 16 bits; any other is read as its "
        "colours.",
        "The colours of a lookup table; the numbers behind other colours.",
        "A note says which. `axes='yx'` reads the numbers (labels), `axes='yxs'` the colours. Masks and ground "
        "truth are read as numbers.",
    ),
    FormatDescription(
        "NumPy",
        (".npy",),
        "Pixels, through a memory map.",
        "Nothing else is in the file.",
        "A note with the axes that were assumed.",
    ),
    FormatDescription(
        "NIfTI",
        (".nii", ".nii.gz"),
        "Voxels with slope and intercept, size and unit of voxels, position if the affine is straight, intent label.",
        "Rotations, mirrors and shears of the affine: voxels are kept as stored. Where the affine is broken, the voxel "
        "size of the header counts.",
        "A note with the directions of x, y and z, of unknown units and of a broken affine.",
    ),
    FormatDescription(
        "HDF5",
        (".h5", ".hdf5", ".hdf", ".he5"),
        "Every dataset of numbers with 2 or more dimensions is an image, named by its path. Axes from axistags "
        "(ilastik, vigra), dimension labels and scales, or the attributes axes and axis_names; pixel size from even "
        "coordinates, element_size_um, resolution or voxel_size. Datasets that ilastik shows in random colours are "
        "labels. By h5py (BSD-3-Clause), tried on files that h5py writes.",
        "Tables, text, complex numbers, other attributes. A file that another program writes is refused until it is "
        "closed.",
        "A note for axes that were assumed, for a missing pixel size, and for datasets that are no images.",
    ),
    FormatDescription(
        "BigDataViewer and BigStitcher",
        (),
        "HDF5 or N5 with its XML, given by either: one image for each tile, angle and illumination, with its channels "
        "and time points; levels, voxel size, names of channels, position if the registration is straight. By h5py "
        "(BSD-3-Clause) and tensorstore (Apache-2.0); written from the description of the format, not tried on a real "
        "file.",
        "Rotations, mirrors and shears of the registration: pixels are kept as stored. Views are not fused.",
        "A note for these, for views that were never recorded, and without an XML.",
    ),
    FormatDescription(
        "Imaris",
        (".ims",),
        "All levels, time points and channels without the padding of their chunks; voxel size and position from the "
        "extents, names, colours and wavelengths of channels, time steps, recording date. Read only. By h5py "
        "(BSD-3-Clause); written from the description of the format, not tried on a real file.",
        "Surfaces, spots, histograms, thumbnails; Imaris 3 and 5.0.",
        "A note for uneven time steps and missing extents.",
    ),
    FormatDescription(
        "N5",
        (),
        "A folder or URL ending in `.n5`, or a group or dataset in it: each dataset, or group of levels s0, s1, ..., "
        "is one image. Axes, resolution, units and offset as COSEM, Paintera and the viewers of N5 write them; raw, "
        "gzip, bzip2, xz, zstd and blosc. Labels of Paintera. By tensorstore (Apache-2.0), tried on stores that it "
        "writes.",
        "Label multisets (refused), other attributes.",
        "A note for axes that were assumed, a missing pixel size, and chunks that are not stored.",
    ),
    FormatDescription(
        "Neuroglancer precomputed",
        (),
        "A folder or URL with the document `info`, also as `precomputed://...`: all scales, resolution and offset in "
        "nanometres, channels; sharded or not; raw, jpeg, png and compressed_segmentation. Segmentations are labels. "
        "By tensorstore (Apache-2.0), tried on volumes that it writes.",
        "Meshes, skeletons, properties of segments, annotations.",
        "A note for these, and for chunks that are not stored.",
    ),
    FormatDescription(
        "MRC, CCP4, IMOD",
        (
            *(".mrc", ".mrcs", ".map", ".ccp4", ".rec", ".st", ".ali"),
            *(".mrc.gz", ".map.gz", ".rec.gz", ".st.gz", ".mrc.bz2", ".map.bz2", ".rec.bz2", ".st.bz2"),
        ),
        "Modes 0, 1, 2, 6 and 12 through a memory map, bytes of IMOD without a sign; order of axes (mapc, mapr, "
        "maps), voxel size in angstrom, position from nxstart or the origin; stacks of volumes as t. Packed files up "
        "to 1 GB. By mrcfile (BSD-3-Clause), tried on a map of EMDB and on files that it writes.",
        "Extended headers, tilt angles, labels, density statistics. Complex numbers, 4-bit numbers and colours are "
        "refused.",
        "A note for stacks of images, packed files, and each field that is not as the standard says.",
    ),
    FormatDescription(
        "Zipped OME-Zarr",
        (".ozx", ".zarr.zip"),
        "As OME-Zarr, without unpacking: an image, several series, or the fields of a plate. Labels are chosen by "
        "name, such as `cells.ozx::labels/nuclei`. By zarr (MIT), tried on zips of 0.4 and 0.5.",
        "As OME-Zarr. Archives with a password are refused.",
        "As OME-Zarr.",
    ),
    FormatDescription(
        "Any file that a plugin of bioio reads",
        (),
        "Every scene, with axes, pixel size, names of channels and time step, for endings that are not in this table. "
        "Install bioio and a plugin such as bioio-bioformats (by bioio, BSD-3-Clause; each plugin has its own "
        "licence).",
        "What the plugin does not pass on. Some plugins read whole planes or mosaics for a window of them.",
        "A note names the plugin and its version.",
    ),
    FormatDescription(
        "DICOM series and multi-frame",
        (".dcm", ".dicom", ".ima", "dicomdir"),
        "A folder, a DICOMDIR, or one file of a series, which stands for all of it: one image for each series, with "
        "slices ordered by their position in the patient, echoes and other kinds as channels, temporal positions as t. "
        "Values are Hounsfield units, SUV by body weight (decay-corrected), dose, or as slope and intercept make them; "
        "RGB, YBR and palettes become colours. Pixel size, distance of slices, position if the slices are straight, "
        "scanner and date; nothing of the patient. Pixels are decoded slice by slice, compressed ones by the packages "
        "that pydicom finds (the error names them). By pydicom (MIT); tried on a CT slice of a GE scanner and on the "
        "test files of pydicom: CT, MR, RT dose, ultrasound, JPEG, JPEG-LS, JPEG 2000, RLE, a disc of 24 series. PET "
        "and files with functional groups are tried on files that pydicom writes.",
        "Windows, overlays, annotations, curves; reports and masks (DICOM SEG) beside the series. A DICOM SEG that is "
        "given by its path is read as labels, by highdicom (MIT).",
        "A note for gaps, mixed spacings, duplicated slices, a tilted gantry, turned axes, missing positions, values "
        "that are not SUV, and for each file that was skipped. A slice that is cut off is an error that names it.",
    ),
    FormatDescription(
        "MetaImage and NRRD",
        (".mha", ".mhd", ".nrrd", ".nhdr"),
        "Voxels, voxel size and unit, position if the axes are straight, colours and channels, a fourth dimension as "
        "t. Uncompressed files are read in parts; compressed ones up to 4 GB are decoded as a whole. By SimpleITK "
        "(Apache-2.0); tried on files that it writes.",
        "Rotations, mirrors and shears: voxels are kept as stored. Other keys of the header.",
        "A note with direction cosines, with what is decoded as a whole, and with units that were assumed.",
    ),
    FormatDescription(
        "Arrays of other libraries",
        (),
        "numpy, dask, torch, cupy, zarr, HDF5, quantities of pint and astropy, and whatever has a shape, a type and "
        "slices; levels of a pyramid as a list. Of xarray: dimensions by word, units, even coordinates, names and "
        "wavelengths of channels, dates as seconds. Masked pixels are NaN.",
        "Attributes, other coordinates, uneven or descending positions. Arrays without a known shape, of objects or of "
        "structures are refused.",
        "A note for each, and with the axes that were assumed: (rows, columns, 3 or 4) is read as colours.",
    ),
)
