"""The README's example: the mixed table of the demo beside PCA, by size of the code and seed.

350 rows to train on, the other 92 to judge; the error of the autoencoder in per cent of PCA's with as many
numbers, and what `pca_comparison` says of it.
"""

from __future__ import annotations

from isthmus import Autoencoder, Trainer, pca_comparison
from isthmus.demo import mixed_table
from measuring import arguments, say, table

SEEDS = range(4)


def main() -> None:
    """One line a size."""
    small, rows = arguments(__doc__).small, mixed_table()
    train, test = rows[:350], rows[350:]
    trainer = Trainer(max_epochs=2 if small else None, progress=False)
    lines = []
    for k in (2, 3, 5, 8):
        found = []
        for seed in SEEDS:
            model = Autoencoder(k, trainer=trainer, random_state=seed).fit(train)
            found.append(pca_comparison(model, train, test))
            say(f"{k} numbers, seed {seed}: {found[-1]}")
        better = sum("lower than PCA's" in str(comparison) for comparison in found)
        errors = ", ".join(f"{comparison.ratio:.0%}" for comparison in found)
        lines.append((k, errors, f"{better} of {len(found)}"))
    table(["numbers", "error beside PCA's, seed 0 to 3", "clearly lower"], lines)


if __name__ == "__main__":
    main()
