"""The textbook's autoencoders by name: each is `Autoencoder` with one argument filled in.

>>> contractive_autoencoder(8, weight=0.1)
Autoencoder(n_components=8, architecture=MLP(hidden=(), tied=True), code=SigmoidCode(),
            penalty=Contraction(weight=0.1, of='encoder'))

Every keyword of `Autoencoder` may be given as well; it wins over the recipe's.
"""

from __future__ import annotations

from typing import Any

from isthmus.autoencoder import Autoencoder
from isthmus.codes import Nested, SigmoidCode, TopK
from isthmus.corruptions import Corruption, GaussianNoise
from isthmus.losses import SquaredError
from isthmus.networks import MLP, Dictionary, Linear
from isthmus.penalties import L1, Contraction, KLSparsity
from isthmus.training import Trainer

__all__ = [
    "contractive_autoencoder",
    "deep_autoencoder",
    "denoising_autoencoder",
    "k_sparse_autoencoder",
    "kl_sparse_autoencoder",
    "linear_autoencoder",
    "nested_autoencoder",
    "sparse_autoencoder",
    "undercomplete_autoencoder",
]


def undercomplete_autoencoder(n_components: int = 8, **options: Any) -> Autoencoder:
    """A code narrower than the data: a nonlinear generalisation of PCA."""
    return Autoencoder(n_components, **options)


def linear_autoencoder(n_components: int = 8, **options: Any) -> Autoencoder:
    """Linear both ways: PCA, exactly (Bourlard & Kamp 1988)."""
    return Autoencoder(n_components, **{"architecture": Linear(), "loss": SquaredError(), **options})


def deep_autoencoder(
    n_components: int = 30, hidden: tuple[int, ...] = (1000, 500, 250), **options: Any
) -> Autoencoder:
    """Several hidden layers each way (Hinton & Salakhutdinov 2006)."""
    return Autoencoder(n_components, **{"architecture": MLP(hidden), **options})


def sparse_autoencoder(n_components: int = 64, weight: float = 0.1, **options: Any) -> Autoencoder:
    """A code that may be wide, with L1 on its activations: few of them far from zero at once."""
    parts = {"architecture": MLP(hidden=(), from_pca=False), "code": SigmoidCode(), "penalty": weight * L1()}
    return Autoencoder(n_components, **{**parts, **options})


def kl_sparse_autoencoder(
    n_components: int = 64, rho: float = 0.05, weight: float = 3.0, **options: Any
) -> Autoencoder:
    """Sigmoid units that are each on for a share rho of the rows (Ng 2011)."""
    parts = {"architecture": MLP(hidden=()), "code": SigmoidCode(), "penalty": KLSparsity(rho, weight=weight)}
    return Autoencoder(n_components, **{**parts, **options})


def k_sparse_autoencoder(n_components: int = 256, k: int = 16, **options: Any) -> Autoencoder:
    """A wide code of which only the k largest numbers pass (Makhzani & Frey 2013)."""
    return Autoencoder(
        n_components,
        **{"architecture": Dictionary(), "code": TopK(k), "trainer": Trainer(lr=1e-2), **options},
    )


def denoising_autoencoder(
    n_components: int | None = 32, corruption: Corruption = GaussianNoise(0.3), **options: Any
) -> Autoencoder:
    """Sees x_tilde, must give back x (Vincent et al. 2008)."""
    return Autoencoder(n_components, **{"corruption": corruption, **options})


def contractive_autoencoder(n_components: int = 64, weight: float = 0.1, **options: Any) -> Autoencoder:
    """One sigmoid layer with tied weights and the encoder's Jacobian penalised (Rifai et al. 2011)."""
    parts = {
        "architecture": MLP(hidden=(), tied=True),
        "code": SigmoidCode(),
        "penalty": Contraction(of="encoder", weight=weight),
    }
    return Autoencoder(n_components, **{**parts, **options})


def nested_autoencoder(n_components: int = 16, **options: Any) -> Autoencoder:
    """An ordered code: its first numbers matter most, and every prefix is a code (Rippel et al. 2014)."""
    return Autoencoder(n_components, **{"code": Nested(), **options})
