"""Pictures: arrays (n, h, w[, c]) and folders of PNG, JPEG and the like, as rows in [0, 1], and back.

One rule for sizes. Every picture of a folder is scaled, its proportions kept, until it just covers the common
size, and what stands over is cut off evenly on both sides. The common size is that of most pictures, made
smaller where its longer side is over 128 pixels; `size=(h, w)` says another. Pictures are turned as their
EXIF tag says, transparency is laid over white, and all are in colour if any of them is.

All pixels share one range, so that 0 is black, 1 is white and a difference weighs the same everywhere.

>>> import numpy as np
>>> schema = Images().fit(np.full((2, 4, 3), 51, np.uint8))
>>> schema.encode(np.full((1, 4, 3), 255, np.uint8)).x[0, :2], schema.layout.shape
(array([1., 1.], dtype=float32), (4, 3))
"""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.atomic import write_atomically
from isthmus.checks import FileError, must, need
from isthmus.inputs.arrays import ArraySchema, as_array, refuse_infinite
from isthmus.inputs.base import Encoded, Inputs, Schema
from isthmus.inputs.folders import (
    Folder,
    blocks_of,
    is_path,
    refuse_others,
    unusable,
    warn_of_skipped,
)
from isthmus.inputs.scaling import Scales, whole
from isthmus.inputs.shaped import ShapedSchema, spoken
from isthmus.inputs.source import Source
from isthmus.parts import Layout
from isthmus.wording import counted

__all__ = ["Images", "ImagesSchema", "Pictures", "value_range"]

LONGEST = 128  # pixels a side at most where the size is left to us
ROTATED = (5, 6, 7, 8)  # EXIF orientations that exchange height and width
GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F")
DEEP = ("I", "I;16", "I;16B", "I;16L", "F")
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601


class _Header(NamedTuple):
    size: tuple[int, int]  # (h, w) after turning
    colour: bool
    deep: bool  # more than 8 bits


class Pictures(Folder):
    """The pictures in a folder, all of one size: a source of blocks (n, h, w) or (n, h, w, 3).

    size: (h, w), or None for that of most pictures, at most 128 a side. colour: whether there are three
    channels; None if any picture is coloured. dtype: uint8, or uint16 where every picture has more than 8
    bits.
    """

    KIND: ClassVar[str] = "pictures"
    ENDINGS: ClassVar[tuple[str, ...]] = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")

    def __init__(
        self,
        path: Any,
        size: tuple[int, int] | None = None,
        colour: bool | None = None,
        dtype: str | None = None,
    ) -> None:
        _pillow()  # a missing package is no fault of the files
        super().__init__(path)
        heads = list(self.headers.values())
        self.size = size or _common([head.size for head in heads])
        self.colour = any(head.colour for head in heads) if colour is None else colour
        deep = all(head.deep for head in heads) and not self.colour
        self.dtype = dtype or ("uint16" if deep else "uint8")

    def matching(self, size: tuple[int, int], colour: bool, dtype: str) -> Pictures:
        """The same folder with pictures of another make."""
        if (size, colour, dtype) == (self.size, self.colour, self.dtype):
            return self
        return Pictures(self.place, size, colour, dtype)

    def restore(self, rows: NDArray[Any], folder: Path) -> int:
        """Each picture as a PNG under its own name; where two would share one, with its old ending in it."""
        image = _pillow().Image
        stems = Counter(str(Path(name).with_suffix("")) for name in self.names)
        for name, row in zip(self.names, rows, strict=True):
            lone = stems[str(Path(name).with_suffix(""))] == 1
            target = folder / (Path(name).with_suffix(".png") if lone else f"{name}.png")
            target.parent.mkdir(parents=True, exist_ok=True)
            pixels = row.squeeze(-1) if row.shape[-1:] == (1,) else row
            picture = image.fromarray(pixels if pixels.dtype == np.uint16 else _as_bytes(pixels))
            write_atomically(target, partial(picture.save, format="PNG"))
        return len(rows)

    def _header(self, name: str) -> _Header:
        with _opened(self.path / name) as picture:
            height, width = picture.height, picture.width
            # PNG keeps EXIF behind the pixels at times; asking for it would decode them here
            known = picture.format == "JPEG" or "exif" in picture.info
            turned = known and picture.getexif().get(0x0112) in ROTATED
            grey = picture.mode in GREY or (picture.mode in ("P", "PA") and _grey_palette(picture))
            return _Header((width, height) if turned else (height, width), not grey, picture.mode in DEEP)

    def _decode(self, name: str) -> NDArray[Any]:
        """One picture as (1, h, w) or (1, h, w, 3)."""
        library = _pillow()
        with _opened(self.path / name) as opened:
            least = 2 * max(self.size)  # a JPEG may leave out detail that scaling down would lose anyway
            opened.draft("RGB" if self.colour else "L", (least, least))
            opened.load()
            picture = library.ImageOps.exif_transpose(opened)
            if picture.mode in DEEP:
                return self._deep(_covering(np.asarray(picture, dtype=np.float32), self.size))
            plain = _over_white(picture).convert("RGB" if self.colour else "L")
            resized = library.ImageOps.fit(plain, self.size[::-1], library.Image.Resampling.BILINEAR)
            pixels = np.asarray(resized)
        return pixels[None] if self.dtype == "uint8" else (pixels[None].astype(np.uint16) * 257)

    def _deep(self, pixels: NDArray[np.float32]) -> NDArray[Any]:
        """16 bits of grey as they are, or brought to 8 where other pictures have no more."""
        values = pixels if self.dtype == "uint16" else pixels / 257
        values = whole(values.astype(np.float64), self.dtype).astype(self.dtype)[None]
        return np.repeat(values[..., None], 3, axis=-1) if self.colour else values


class ImagesSchema(ShapedSchema):
    """Pictures of one size and one range. `cut`: pictures of other sizes are scaled and cropped to it."""

    cut: bool = False
    gaps: bool = False

    KIND: ClassVar[str] = "pictures"

    @cached_property
    def layout(self) -> Layout:
        """One numeric cell per pixel and colour."""
        return Layout.numeric(int(np.prod(self.shape)), self.shape, True, self.gaps)

    def as_arrays(self) -> ArraySchema:
        """The same for arrays (n, *shape), with scales for every pixel."""
        scales = self.scales.spread_out(self.layout.width)
        return ArraySchema(scales, self.dtype, self.shape, True, self.gaps)

    def source(self, X: Any) -> Any:
        """A folder, or the source of one, as pictures of the fitted size and kind; anything else as it is."""
        refuse_others(X, Pictures.KIND)
        if not (is_path(X) or isinstance(X, Pictures)):
            return X
        size, colour = (self.shape[0], self.shape[1]), len(self.shape) == 3 and self.shape[2] == 3
        dtype = self.dtype if self.dtype == "uint16" else "uint8"
        source = (X if isinstance(X, Pictures) else Pictures(X)).matching(size, colour, dtype)
        return warn_of_skipped(source) if is_path(X) else source

    def encode(self, X: Any) -> Encoded:
        """Arrays (n, h, w[, c]), rows (n, d), folders of pictures and sources of either."""
        pieces = [self._encode(block) for block in self._blocks(X)]
        x = np.concatenate([piece for piece, _ in pieces])
        if all(seen is None for _, seen in pieces):
            return Encoded(x, None)
        return Encoded(x, np.concatenate([np.ones(p.shape, bool) if s is None else s for p, s in pieces]))

    def decode(self, x_hat: NDArray[np.float32], like: Any = None) -> Any:
        """Pictures (n, h, w[, c]) of the fitted dtype."""
        out = np.empty((len(x_hat), *self.shape), np.dtype(self.dtype))
        start = 0
        for block in blocks_of(x_hat):
            values = _as(self.scales.decode(block), out.dtype)
            out[start : start + len(block)] = values.reshape(-1, *self.shape)
            start += len(block)
        return out

    def _made_to_fit(self, array: NDArray[Any]) -> NDArray[Any] | None:
        if not self.cut or array.ndim not in (3, 4):
            return None
        return _arranged(array, (self.shape[0], self.shape[1]), len(self.shape) == 3 and self.shape[2] == 3)

    def _encode(self, block: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
        values = block.reshape(len(block), -1).astype(np.float64)
        if block.dtype.kind != "f":
            return self.scales.encode(values).astype(np.float32), None
        refuse_infinite(values, self.names)
        gone = np.isnan(values)
        x = np.nan_to_num(self.scales.encode(values), nan=0.0).astype(np.float32)
        return x, (~gone if gone.any() else None)


class Images(Inputs):
    """Pictures: an array (n, h, w) or (n, h, w, c), or a folder of PNG, JPEG, BMP, TIFF and WebP files.

    size: (h, w) every picture is scaled to cover and then cropped to at its centre. None leaves arrays as
        they are and takes the size of most pictures of a folder, made smaller to have at most 128 pixels a
        side.
    colour: True for three channels, False for one; None as the data are, coloured if any picture of a folder
        is.
    """

    size: tuple[int, int] | None = None
    colour: bool | None = None

    def open(self, X: Any) -> Any:
        """A path as the source of its pictures."""
        self._check()
        return Pictures(X, self._size, self.colour) if is_path(X) else X

    def fit(self, X: Any) -> Schema:
        """Learn the size and the range. Raises DataError for arrays of another kind, FileError for a folder
        without a picture that can be read; files that cannot be are named in `notes_`.
        """
        X = self.open(X)
        refuse_others(X, Pictures.KIND)
        if isinstance(X, Pictures):
            return self._fit_folder(X)
        array = np.concatenate(list(X.blocks())) if isinstance(X, Source) else as_array(X)
        _check_pictures(array)
        original = array.dtype
        if self.size is not None or self.colour is not None:
            array = _arranged(array, self._size or (array.shape[1], array.shape[2]), self.colour)
        low, high = value_range(array)
        shape = tuple(int(size) for size in array.shape[1:])
        gaps = original.kind == "f" and bool(np.isnan(array).any())
        note = f"Read as pictures of {spoken(shape)}: all values share one range, {low:g} to {high:g}."
        scales = Scales((low,), (high - low,))
        return ImagesSchema(shape, str(original), scales, self.size is not None, gaps, notes=(note,))

    @property
    def _size(self) -> tuple[int, int] | None:
        return None if self.size is None else (int(self.size[0]), int(self.size[1]))

    def _fit_folder(self, folder: Pictures) -> Schema:
        wanted = (self._size or folder.size, folder.colour if self.colour is None else self.colour)
        folder = folder.matching(*wanted, folder.dtype)
        shape = (*folder.size, 3) if folder.colour else folder.size
        high = (
            255.0
            if folder.dtype == "uint8"
            else float(max(value_range(block)[1] for block in folder.blocks()))
        )
        how = "" if self.size else "; inputs=Images(size=(h, w)) takes another size"
        done = f"scaled to cover {spoken(folder.size)} pixels and cropped at the centre"
        note = (
            f"Read {counted(len(folder), 'picture')} in {'colour' if folder.colour else 'grey'}, {done}{how}."
        )
        notes = (note, *folder.about_skipped())
        return ImagesSchema(shape, folder.dtype, Scales((0.0,), (high,)), True, notes=notes)

    def _check(self) -> None:
        size = self.size
        good = size is None or (
            isinstance(size, tuple)
            and len(size) == 2
            and all(isinstance(s, (int, np.integer)) and s > 0 for s in size)
        )
        need(good, "size", "be (height, width) in pixels, or None", size, "Use Images(size=(64, 64))")


# ---------------------------------------------------------------- arrays


def _check_pictures(array: NDArray[Any]) -> None:
    if array.ndim not in (3, 4):
        do = "Use X.reshape(len(X), h, w) or X.reshape(len(X), h, w, c)"
        raise must("X", "be pictures (n, h, w) or (n, h, w, c)", f"an array of shape {array.shape}", do)
    if array.ndim == 4 and array.shape[1] in (1, 3, 4) and array.shape[3] > 4:
        do = "Use X.transpose(0, 2, 3, 1)"
        raise must("X", "have its colours last, (n, h, w, c)", f"an array of shape {array.shape}", do)
    flat = array.reshape(len(array), -1)
    for block in blocks_of(flat) if array.dtype.kind == "f" else ():
        refuse_infinite(block.astype(np.float64), tuple(range(flat.shape[1])))


def value_range(array: NDArray[Any]) -> tuple[float, float]:
    """The range pictures are in: that of their dtype, or the usual one that holds them, or their own.

    Whole numbers reach from 0 to the least 2^k - 1 that holds them, 8 bits to 255 unless all are below 32.
    Floats reach from 0 to 1 or from -1 to 1 if they lie there, to 255 if they are whole and over half that.
    """
    if array.dtype.kind == "b":
        return 0.0, 1.0
    known = array[~np.isnan(array)] if array.dtype.kind == "f" else array
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if array.dtype.kind in "iu":
        bits = max(1, int(high).bit_length())
        top = 255.0 if array.dtype.itemsize == 1 and high >= 32 else float(2**bits - 1)
        return (0.0, top) if low >= 0 else (low, high if high > low else low + 1)
    if low >= -1 and high <= 1:
        return (0.0, 1.0) if low >= 0 else (-1.0, 1.0)
    if low >= 0 and 128 <= high <= 255 and bool((known == np.rint(known)).all()):
        return 0.0, 255.0
    return low, high if high > low else low + 1


def _arranged(array: NDArray[Any], size: tuple[int, int], colour: bool | None) -> NDArray[Any]:
    """Pictures scaled to cover `size` and cropped, with or without colours."""
    if colour is False and array.ndim == 4:
        grey = array[..., :3] @ np.array(LUMINANCE) if array.shape[-1] >= 3 else array[..., 0]
        array = _as(grey, array.dtype)
    elif colour and (array.ndim == 3 or array.shape[-1] == 1):
        array = np.repeat(array if array.ndim == 4 else array[..., None], 3, axis=-1)
    if array.shape[1:3] == size:
        return array
    planes = array if array.ndim == 4 else array[..., None]
    made = np.empty((len(planes), *size, planes.shape[-1]), array.dtype)
    for row, picture in enumerate(planes):
        for channel in range(planes.shape[-1]):
            made[row, ..., channel] = _as(_covering(picture[..., channel], size), array.dtype)
    return made if array.ndim == 4 else made[..., 0]


def _as(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "b":
        return values > 0.5
    return (whole(values.astype(np.float64), str(dtype)) if dtype.kind in "iu" else values).astype(dtype)


def _covering(plane: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """One channel (h, w) scaled to cover `size`, its middle cut out."""
    library = _pillow()
    picture = library.Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(library.ImageOps.fit(picture, size[::-1], library.Image.Resampling.BILINEAR))


def _as_bytes(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Any picture as 8 bits: whole numbers as they are, floats in [0, 1] by 255, the rest by their range."""
    if pixels.dtype == np.uint8:
        return pixels
    low, high = value_range(pixels)
    shares = (np.nan_to_num(pixels, nan=low).astype(np.float64) - low) / (high - low)
    bytes_: NDArray[np.uint8] = np.rint(255 * shares).astype(np.uint8)
    return bytes_


# ---------------------------------------------------------------- files


def _pillow() -> Any:
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError:
        raise unusable("pictures", "images") from None
    return PIL


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A picture file with its header read and its size checked, Pillow's warnings kept from the user."""
    library = _pillow()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", library.Image.DecompressionBombWarning)
        try:
            picture = library.Image.open(path, formats=FORMATS)
        except (library.Image.DecompressionBombWarning, library.Image.DecompressionBombError):
            limit = library.Image.MAX_IMAGE_PIXELS
            raise FileError(f"its header claims more than {limit:,} pixels") from None
        except library.UnidentifiedImageError:
            raise FileError("not a picture") from None
        with picture:
            yield picture


def _common(sizes: list[tuple[int, int]]) -> tuple[int, int]:
    """The size of most pictures, the larger of two equally frequent, with at most 128 pixels a side."""
    counted = Counter(sizes)
    height, width = max(counted, key=lambda size: (counted[size], size))
    shrink = min(1.0, LONGEST / max(height, width))
    return max(1, round(height * shrink)), max(1, round(width * shrink))


def _grey_palette(picture: Any) -> bool:
    palette = picture.getpalette("RGB") or []
    return palette[0::3] == palette[1::3] == palette[2::3]


def _over_white(picture: Any) -> Any:
    """Transparency laid over white, as a page shows it."""
    if picture.mode not in ("RGBA", "LA", "PA", "La", "RGBa") and "transparency" not in picture.info:
        return picture
    white = _pillow().Image.new("RGBA", picture.size, "white")
    return _pillow().Image.alpha_composite(white, picture.convert("RGBA"))
