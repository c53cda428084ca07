"""Photographs: single picture files at their own size and depth, read and written back as they were.

Folders of pictures (`isthmus.inputs.images`) bring all to one size, as a code needs. What restores pictures
keeps each as it is: grey or colour, 8 or 16 bits, transparency laid aside and put back. Pillow reads all but
colour PNGs of 16 bits, which it would silently cut to 8; those go through pypng.
"""

from __future__ import annotations

from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.atomic import write_atomically
from isthmus.checks import FileError, brief
from isthmus.inputs.folders import files_below, unusable
from isthmus.inputs.images import DEEP, GREY, Pictures, _grey_palette, _opened, _pillow

__all__ = ["LOSSY", "Photograph", "is_picture", "photographs_in", "read_photograph", "write_photograph"]

QUALITY = 95  # of JPEG and WebP
LOSSY = (".jpg", ".jpeg", ".webp")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Photograph(NamedTuple):
    """pixels (h, w) or (h, w, 3), uint8 or uint16; alpha (h, w) of the same depth, or None where opaque."""

    pixels: NDArray[Any]
    alpha: NDArray[Any] | None = None


def is_picture(path: Any) -> bool:
    """Whether a path ends as pictures do."""
    return str(path).lower().endswith(Pictures.ENDINGS)


def photographs_in(place: Path) -> list[Path]:
    """A picture file itself, or all those below a folder, in order."""
    return [place / name for name in files_below(place, Pictures.ENDINGS)] if place.is_dir() else [place]


def read_photograph(path: Any) -> Photograph:
    """One picture at its own size, turned as its EXIF tag says; FileError for what cannot be read."""
    path = Path(path)
    if not path.is_file():
        raise FileError(f"{path} must be a picture file; got nothing there. Check the path.")
    try:
        return _deep_png(path) if _is_deep_png(path) else _by_pillow(path)
    except FileError as error:
        raise FileError(f"{path} cannot be read: {error}. Use a PNG, JPEG, BMP, TIFF or WebP file.") from None
    except Exception as error:  # decoders raise nearly everything on hostile bytes
        words = brief(str(error).replace(str(path), "it") or type(error).__name__, 60).rstrip(".")
        raise FileError(f"{path} cannot be read: {words}. Save or copy it again.") from None


def write_photograph(path: Any, picture: Photograph) -> None:
    """Write a picture, whole or not at all; what the ending's format has no place for is said in one error:
    16 bits need PNG or TIFF, transparency anything but JPEG and BMP.
    """
    path, (pixels, alpha) = Path(path), picture
    end = path.suffix.lower()
    if pixels.dtype == np.uint16 and end not in (".png", ".tif", ".tiff"):
        raise FileError(f"{path} must be PNG to hold 16 bits. Use the ending .png.")
    if pixels.dtype == np.uint16 and pixels.ndim == 3:
        if end != ".png":
            raise FileError(f"{path} must be PNG to hold 16 bits of colour. Use the ending .png.")
        write_atomically(path, partial(_write_deep_png, picture))
        return
    if alpha is not None and end not in (".jpg", ".jpeg", ".bmp") and pixels.dtype == np.uint8:
        planes = pixels if pixels.ndim == 3 else pixels[..., None]
        pixels = np.concatenate([planes, alpha[..., None]], axis=-1)
    image = _pillow().Image.fromarray(np.ascontiguousarray(pixels))
    buffer = BytesIO()
    options: dict[str, Any] = {"quality": QUALITY} if end in LOSSY else {}
    image.save(buffer, format=_pillow().Image.registered_extensions()[end], **options)
    write_atomically(path, lambda file: file.write(buffer.getvalue()))


def _by_pillow(path: Path) -> Photograph:
    library = _pillow()
    with _opened(path) as opened:
        opened.load()
        picture = library.ImageOps.exif_transpose(opened)
        if picture.mode in DEEP:
            values = np.asarray(picture, dtype=np.float64)
            if values.min() < 0 or values.max() > 65535 or (values != np.rint(values)).any():
                raise FileError("its numbers are not those of 8 or 16 bits; scale them to 16 bits first")
            return Photograph(values.astype(np.uint16))
        grey = picture.mode in GREY or (picture.mode in ("P", "PA") and _grey_palette(picture))
        clear = picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info
        if not clear:
            return Photograph(np.asarray(picture.convert("L" if grey else "RGB")))
        planes = np.asarray(picture.convert("RGBA"))
        return Photograph(planes[..., 0] if grey else planes[..., :3], planes[..., 3])


def _is_deep_png(path: Path) -> bool:
    """Whether a file is a colour PNG of 16 bits, by its first bytes."""
    with path.open("rb") as file:
        head = file.read(26)
    return head[:8] == PNG_SIGNATURE and len(head) == 26 and head[24] == 16 and head[25] in (2, 6)


def _deep_png(path: Path) -> Photograph:
    limit = _pillow().Image.MAX_IMAGE_PIXELS
    width, height, rows, info = _pypng().Reader(bytes=path.read_bytes()).read()
    if limit and width * height > limit:
        raise FileError(f"its header claims more than {limit:,} pixels")
    planes = np.vstack([np.asarray(row, np.uint16) for row in rows]).reshape(height, width, info["planes"])
    return Photograph(planes[..., :3], planes[..., 3] if info["planes"] == 4 else None)


def _write_deep_png(picture: Photograph, file: Any) -> None:
    planes = picture.pixels
    if picture.alpha is not None:
        planes = np.concatenate([planes, picture.alpha[..., None]], axis=-1)
    height, width = planes.shape[:2]
    writer = _pypng().Writer(width, height, greyscale=False, alpha=planes.shape[2] == 4, bitdepth=16)
    writer.write(file, planes.reshape(height, -1))


def _pypng() -> Any:
    try:
        import png
    except ImportError:
        raise unusable("colour PNGs of 16 bits", "images") from None
    return png
