"""Files restored one by one: one to a file, or all of a folder to a new folder, whole or not at all."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

__all__ = ["Restore", "check_reference", "compared_with", "restored"]

PATIENCE = 1.0  # seconds after which a bar is drawn

Restore = Callable[[Path, Path, Path | None, Callable[[float], Any]], Any]  # source, target, clean, progress


def restored(
    place: Path,
    output: Path,
    reference: Path | None,
    restore: Restore,
    kind: str,
    endings: tuple[str, ...],
    shown: bool | None = None,
) -> list[tuple[str, Any]]:
    """`restore` applied to a file, or to every file below a folder: the names, and what it gave.

    reference: the clean file, or a folder with clean files of the same names. A file that cannot be read
    stops a single file, and is skipped and told in a folder, which is written whole or not at all. shown:
    whether to draw a bar; None where standard error is a terminal and it takes more than a second.
    """
    from isthmus.inputs.folders import files_below, refuse_full

    check_reference(reference, place.is_dir(), kind)
    if not place.is_dir():
        with _bar(1, shown) as told:
            return [(place.name, restore(place, output, reference, partial(told, 0)))]
    refuse_full(output)
    return _folder(place, output, reference, restore, kind, endings, files_below(place, endings), shown)


def check_reference(reference: Path | None, folder: bool, kind: str) -> None:
    """Raise unless a reference is there, and of the kind that is needed."""
    from isthmus.checks import need

    if reference is not None:
        there = reference.is_dir() if folder else reference.is_file()
        rule = f"be a folder of clean {kind}" if folder else "be a clean file"
        need(there, "--reference", rule, str(reference), "Check the path")


def compared_with(
    clean: Path | None, name: str, read: Callable[[Path], Any], wrong: Callable[[Any], str]
) -> Any:
    """What is in a clean reference; None where there is none, and said why where it cannot be compared with.

    wrong: says so of what was read, "" where it can.
    """
    from isthmus.commands.words import tell

    if clean is None:
        return None
    why = f"{clean} is not there"
    if clean.is_file():
        truth = read(clean)
        why = wrong(truth)
        if not why:
            return truth
    tell(f"{name} was not compared: {why}")
    return None


def _folder(
    place: Path,
    output: Path,
    reference: Path | None,
    restore: Restore,
    kind: str,
    endings: tuple[str, ...],
    names: list[str],
    shown: bool | None,
) -> list[tuple[str, Any]]:
    import tempfile

    from isthmus.checks import FileError
    from isthmus.commands.words import tell
    from isthmus.inputs.folders import nothing_readable

    done, skipped = [], []
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        with _bar(len(names), shown) as told:
            for number, name in enumerate(names):
                target = made / name
                target.parent.mkdir(parents=True, exist_ok=True)
                clean = None if reference is None else reference / name
                try:
                    found = restore(place / name, target, clean, partial(told, number))
                except FileError as error:
                    skipped.append(name)
                    tell(f"skipped: {error}")
                    continue
                done.append((name, found))
                told(number, 1.0)
        if not done:
            raise nothing_readable(place, kind, endings, skipped)
        made.replace(output)
    return done


@contextmanager
def _bar(files: int, shown: bool | None) -> Iterator[Callable[[int, float], Any]]:
    """Something to tell the number of a file and the share of it that is done."""
    started, bar = time.perf_counter(), None
    wanted = sys.stderr.isatty() if shown is None else shown

    def told(number: int, share: float) -> None:
        nonlocal bar
        if bar is None and wanted and time.perf_counter() - started > PATIENCE:
            bar = _opened(files)
        if bar is not None:
            bar.update(bar.task_ids[0], completed=number + share)

    try:
        yield told
    finally:
        if bar is not None:
            bar.stop()


def _opened(files: int) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    count = "{task.completed:.0f} of {task.total:.0f} files" if files > 1 else "{task.percentage:.0f}%"
    bar = Progress(
        TextColumn(count),
        BarColumn(bar_width=24),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
    bar.add_task("", total=files)
    bar.start()
    return bar
