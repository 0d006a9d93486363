"""Files that pydicom ships for its own tests."""

import pydicom


def shipped(name):
    """Return the path of a file."""
    return pydicom.data.get_testdata_file(name, download=False)
