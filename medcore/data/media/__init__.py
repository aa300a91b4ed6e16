"""Files beside a table: images kept once per content, and read back as arrays.

A data set's folder `media` holds cleaned files only. Images are PNG of 8 or 16 bits, `.npy` for
what PNG cannot hold (Hounsfield units, volumes), or cleaned DICOM.
"""

from medcore.data.media.files import MediaFolder, new_media_folder
from medcore.data.media.pictures import (
    DECODERS,
    count_slices,
    decode_image,
    image_shape,
    is_image,
    read_image,
)
from medcore.data.media.rasters import Picture
from medcore.data.media.signals import read_signal

__all__ = [
    "DECODERS",
    "MediaFolder",
    "Picture",
    "count_slices",
    "decode_image",
    "image_shape",
    "is_image",
    "new_media_folder",
    "read_image",
    "read_signal",
]
