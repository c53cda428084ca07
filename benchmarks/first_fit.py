"""What a first fit costs in a process of its own, imports included: CPU seconds of whole processes.

2,000 x 30 numbers, layers 64-16-4-16-64, 20 epochs in batches of 128; beside scikit-learn's MLPRegressor with
the same layers, rows and epochs. Medians of 5 runs after one that warms the disk.
"""

from __future__ import annotations

from import_time import median

DATA = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(2000, 4)) @ rng.normal(size=(4, 30)) + 0.1 * rng.normal(size=(2000, 30))
"""
OURS = """
from isthmus import MLP, Autoencoder, Trainer
trainer = Trainer(max_epochs=20, batch_size=128, patience=1000, held_out=0)
Autoencoder(4, architecture=MLP((64, 16)), trainer=trainer, random_state=0).fit(X).transform(X)
"""
THEIRS = """
import warnings
from sklearn.neural_network import MLPRegressor
warnings.simplefilter("ignore")  # it says that 20 epochs are few
X = (X - X.mean(0)) / X.std(0)
layers = (64, 16, 4, 16, 64)
options = {"max_iter": 20, "batch_size": 128, "n_iter_no_change": 100, "random_state": 0}
MLPRegressor(hidden_layer_sizes=layers, **options).fit(X, X).predict(X)
"""


def main() -> None:
    """Print one line per process."""
    for name, code in {
        "import torch": "import torch",
        "import sklearn.base": "import sklearn.base",
        "import isthmus.autoencoder": "import isthmus.autoencoder",
        "first fit, isthmus": DATA + OURS,
        "first fit, MLPRegressor": DATA + THEIRS,
    }.items():
        print(f"{name:28s}{median(code):.2f} CPU-s")


if __name__ == "__main__":
    main()
