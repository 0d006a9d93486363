"""Images of hospitals: DICOM, MetaImage and NRRD."""
