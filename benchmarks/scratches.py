"""Scratched and spotted photographs, filled beside the classical tools.

Kodak 09 to 12, which nobody learned from. isthmus learns from Kodak 01 to 08 and three photographs more by
default settings, as `isthmus fit FOLDER --task inpaint` does, and is told where the damage is. Fourteen
scratches of 2 to 6 pixels and six spots, about 5% of a picture, drawn at random, the same on all. PSNR in the
holes, dB. The peers need no training: Biharmonic (scikit-image), Telea and Navier-Stokes (OpenCV), channel by
channel. Seconds are CPU. The model is one of patches; no choice was made on these pictures.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from datasets import FOLDER
from inpainting import psnr, single_picture_tools
from isthmus import Inpainter, Trainer
from measuring import arguments, say, table, verdict

PHOTOS = ("astronaut", "chelsea", "coffee")


def opened(kind: str, name: str) -> Any:
    """A photograph (h, w, 3), uint8."""
    return np.asarray(Image.open(FOLDER / "images" / kind / f"{name}.png").convert("RGB"))


def scratched(size: tuple[int, int]) -> Any:
    """True where the damage is: (h, w)."""
    rng, mask = np.random.default_rng(3), Image.new("L", size[::-1])
    draw = ImageDraw.Draw(mask)
    for _ in range(14):
        place, way, line = rng.uniform(size=2) * mask.size, rng.uniform(0, 2 * np.pi), []
        for _ in range(31):
            line.append(tuple(place))
            way += 0.25 * rng.normal()
            place = place + 12 * np.array([np.cos(way), np.sin(way)])
        draw.line(line, fill=255, width=int(rng.integers(2, 7)))
    for _ in range(6):
        (x, y), r = rng.uniform(size=2) * mask.size, rng.uniform(5, 12)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=255)
    return np.asarray(mask) > 0


def by_channel(fill: Any, picture: Any, hole: Any) -> Any:
    """A tool for grey pictures on each channel: (h, w, 3) in [0, 1]."""
    return np.stack([fill(np.where(hole, 0, picture[..., k]), hole) for k in range(3)], 2)


def main(small: bool) -> None:
    """One table."""
    if not (FOLDER / "images" / "kodak").is_dir():
        print("The photographs were not found: set ISTHMUS_DATA.")
        return
    album = [opened("kodak", f"kodim{i:02}") for i in range(1, 9)] + [opened("photos", n) for n in PHOTOS]
    start = time.process_time()
    trainer = Trainer(max_epochs=1, progress=False) if small else None
    inpainter = Inpainter(trainer=trainer, random_state=0).fit(album[:2] if small else album)
    say(f"trained: {time.process_time() - start:.0f} CPU s")
    print(f"Trained in {time.process_time() - start:.0f} CPU seconds.\n")
    tools: dict[str, Any] = {
        name: lambda p, h, fill=fill: by_channel(fill, p, h) for name, fill in single_picture_tools().items()
    }
    tools["isthmus"] = lambda p, h: inpainter.inpaint(np.where(h[..., None], 0, p).astype(np.uint8), h) / 255
    found: dict[str, list[float]] = {name: [] for name in tools}
    names = [f"kodim{i:02}" for i in ((12,) if small else range(9, 13))]
    for name in names:
        picture = opened("kodak", name)
        hole = scratched(picture.shape[:2])
        for tool, fill in tools.items():
            found[tool].append(psnr(picture / 255, np.clip(fill(picture, hole), 0, 1), hole))
        say(f"{name}: {hole.mean():.1%} damaged")
    lines = [(tool, *(f"{v:.2f}" for v in each), f"{np.mean(each):.2f}") for tool, each in found.items()]
    table(("PSNR in the holes, dB", *names, "mean"), lines)
    ours = np.mean(found.pop("isthmus"))
    if found:
        best = max(np.mean(each) for each in found.values())
        print(f"isthmus over the best of the others, dB, in the mean: {verdict(float(ours - best), 0.0)}")


if __name__ == "__main__":
    main(arguments(__doc__).small)
