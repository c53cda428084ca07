"""Training: the trainer (a part), its plan, and the one loop."""

from isthmus.training.completion import completes
from isthmus.training.dense import suits
from isthmus.training.devices import fast_in_bf16
from isthmus.training.member import Member
from isthmus.training.randomness import isolated, seed_from
from isthmus.training.rows import Rows
from isthmus.training.stream import Stream, reading
from isthmus.training.trainer import Trainer

__all__ = [
    "Member",
    "Rows",
    "Stream",
    "Trainer",
    "completes",
    "fast_in_bf16",
    "isolated",
    "reading",
    "seed_from",
    "suits",
]
