"""Training: the trainer (a part), its plan, and the one loop."""

from isthmus.training.randomness import isolated, seed_from
from isthmus.training.rows import Rows
from isthmus.training.trainer import Outcome, Trainer

__all__ = ["Outcome", "Rows", "Trainer", "isolated", "seed_from"]
