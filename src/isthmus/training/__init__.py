"""Training: the trainer (a part), its plan, and the one loop."""

from typing import TYPE_CHECKING

from isthmus.lazily import fetching
from isthmus.training.devices import fast_in_bf16
from isthmus.training.member import Member
from isthmus.training.plain import PlainMember, PlainRows, numpy_trains
from isthmus.training.randomness import isolated, seed_from
from isthmus.training.rows import Rows
from isthmus.training.threads import NUMPYS
from isthmus.training.trainer import Trainer

if TYPE_CHECKING:
    from isthmus.training.completion import completes
    from isthmus.training.dense import suits
    from isthmus.training.stream import Stream, reading

__getattr__ = fetching(__name__, {"completion": "completes", "dense": "suits", "stream": "Stream reading"})

__all__ = [
    "NUMPYS",
    "Member",
    "PlainMember",
    "PlainRows",
    "Rows",
    "Stream",
    "Trainer",
    "completes",
    "fast_in_bf16",
    "isolated",
    "numpy_trains",
    "reading",
    "seed_from",
    "suits",
]
