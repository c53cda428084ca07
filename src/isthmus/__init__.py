"""isthmus: autoencoders that real people can use on real data.

Give it unlabelled data; it learns a compressed representation through a bottleneck and puts it to work. The
objective is the textbook's, and the code spells it the same way: L(x, x_hat) + sum_k lambda_k * Omega_k.

>>> from isthmus import L1, Autoencoder, MaskingNoise
>>> Autoencoder(8, corruption=MaskingNoise(0.25), penalty=1e-3 * L1())
Autoencoder(n_components=8, corruption=MaskingNoise(), penalty=L1(weight=0.001))

Importing the package imports neither torch nor scikit-learn; each name is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus.anomaly import (
        AnomalyDetector,
        CellErrors,
        CodeDistance,
        DenoisingErrors,
        DriftAlarm,
        NearFar,
        SeriesDetector,
    )
    from isthmus.auditing import (
        Audit,
        ComponentCurve,
        Tradeoff,
        audit,
        component_curve,
        tradeoff,
    )
    from isthmus.autoencoder import Autoencoder
    from isthmus.checks import DataError, FileError, IsthmusError, TrainingError
    from isthmus.codes import BatchTopK, Code, LinearCode, Nested, ReLUCode, SigmoidCode, TopK
    from isthmus.corruptions import (
        BlockMask,
        Corruption,
        GaussianNoise,
        MaskingNoise,
        SaltAndPepper,
        SwapNoise,
    )
    from isthmus.diagnostics import pca_comparison
    from isthmus.exporting import export
    from isthmus.inputs import (
        Auto,
        Boolean,
        Categorical,
        Datetime,
        Images,
        Numeric,
        Shared,
        Signals,
        Source,
        Standard,
        Table,
        UnitRange,
        Unscaled,
        open_source,
    )
    from isthmus.losses import BinaryCrossEntropy, BoundedSquaredError, Deviance, Huber, Loss, SquaredError
    from isthmus.many import fit_many
    from isthmus.networks import (
        MLP,
        Architecture,
        ConvNet,
        Dictionary,
        Linear,
        ReLU,
        Sigmoid,
        SiLU,
        Suited,
        Tanh,
    )
    from isthmus.parts import Part
    from isthmus.penalties import L1, Contraction, KLSparsity, L2Weights, Penalty
    from isthmus.recipes import (
        contractive_autoencoder,
        deep_autoencoder,
        denoising_autoencoder,
        k_sparse_autoencoder,
        kl_sparse_autoencoder,
        linear_autoencoder,
        nested_autoencoder,
        sparse_autoencoder,
        undercomplete_autoencoder,
    )
    from isthmus.saving import load, save
    from isthmus.scoring import Scorer
    from isthmus.training import Trainer

__version__ = "0.1.0"

_HOME = {
    "auditing": "Audit ComponentCurve Tradeoff audit component_curve tradeoff",
    "autoencoder": "Autoencoder",
    "checks": "DataError FileError IsthmusError TrainingError",
    "anomaly": "AnomalyDetector CellErrors CodeDistance DenoisingErrors DriftAlarm NearFar SeriesDetector",
    "codes": "BatchTopK Code LinearCode Nested ReLUCode SigmoidCode TopK",
    "corruptions": "BlockMask Corruption GaussianNoise MaskingNoise SaltAndPepper SwapNoise",
    "diagnostics": "pca_comparison",
    "exporting": "export",
    "inputs": (
        "Auto Boolean Categorical Datetime Images Numeric Shared Signals Source Standard Table UnitRange "
        "Unscaled open_source"
    ),
    "losses": "BinaryCrossEntropy BoundedSquaredError Deviance Huber Loss SquaredError",
    "many": "fit_many",
    "networks": "MLP Architecture ConvNet Dictionary Linear ReLU SiLU Sigmoid Suited Tanh",
    "parts": "Part",
    "penalties": "L1 Contraction KLSparsity L2Weights Penalty",
    "recipes": (
        "contractive_autoencoder deep_autoencoder denoising_autoencoder k_sparse_autoencoder "
        "kl_sparse_autoencoder linear_autoencoder nested_autoencoder sparse_autoencoder "
        "undercomplete_autoencoder"
    ),
    "saving": "load save",
    "scoring": "Scorer",
    "training": "Trainer",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "L1",
    "MLP",
    "AnomalyDetector",
    "Architecture",
    "Audit",
    "Auto",
    "Autoencoder",
    "BatchTopK",
    "BinaryCrossEntropy",
    "BlockMask",
    "Boolean",
    "BoundedSquaredError",
    "Categorical",
    "CellErrors",
    "Code",
    "CodeDistance",
    "ComponentCurve",
    "Contraction",
    "ConvNet",
    "Corruption",
    "DataError",
    "Datetime",
    "DenoisingErrors",
    "Deviance",
    "Dictionary",
    "DriftAlarm",
    "FileError",
    "GaussianNoise",
    "Huber",
    "Images",
    "IsthmusError",
    "KLSparsity",
    "L2Weights",
    "Linear",
    "LinearCode",
    "Loss",
    "MaskingNoise",
    "NearFar",
    "Nested",
    "Numeric",
    "Part",
    "Penalty",
    "ReLU",
    "ReLUCode",
    "SaltAndPepper",
    "Scorer",
    "SeriesDetector",
    "Shared",
    "SiLU",
    "Sigmoid",
    "SigmoidCode",
    "Signals",
    "Source",
    "SquaredError",
    "Standard",
    "Suited",
    "SwapNoise",
    "Table",
    "Tanh",
    "TopK",
    "Tradeoff",
    "Trainer",
    "TrainingError",
    "UnitRange",
    "Unscaled",
    "__version__",
    "audit",
    "component_curve",
    "contractive_autoencoder",
    "deep_autoencoder",
    "denoising_autoencoder",
    "export",
    "fit_many",
    "k_sparse_autoencoder",
    "kl_sparse_autoencoder",
    "linear_autoencoder",
    "load",
    "nested_autoencoder",
    "open_source",
    "pca_comparison",
    "save",
    "sparse_autoencoder",
    "tradeoff",
    "undercomplete_autoencoder",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'isthmus' has no attribute {name!r}")
    value = getattr(import_module(f"isthmus.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
