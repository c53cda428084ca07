"""What one look at a model found: numbers, a label, and a sentence that says what they mean."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from isthmus.parts import Record

__all__ = ["Finding", "plainly", "shown", "times"]


class Finding(Record):
    """Numbers with names; `label` is two or three words, the text is one sentence."""

    label: ClassVar[str] = ""

    def plain(self) -> dict[str, Any]:
        """The numbers as JSON can hold them, None where one is not known; arrays are left out."""
        values = {name: getattr(self, name) for name in self._fields()}
        return {name: shown(value) for name, value in values.items() if not isinstance(value, np.ndarray)}


def shown(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, (tuple, list)):
        return [shown(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def plainly(number: float, digits: int = 2) -> str:
    """A number to so many digits, never with an exponent: "2.3", "470", "12,000"."""
    return f"{float(f'{number:.{digits}g}'):,.12g}"


def times(ratio: float, digits: int = 2) -> str:
    """How many times as much: "2.3 times", "470 times", "over 1,000 times"."""
    return "over 1,000 times" if ratio > 1000 else f"{plainly(ratio, digits)} times"
