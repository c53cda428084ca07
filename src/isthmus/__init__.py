"""isthmus: autoencoders that real people can use on real data.

Give it unlabelled data; it learns a compressed representation through a bottleneck and puts it to work. The
objective is the textbook's, and the code spells it the same way: L(x, x_hat) + sum_k lambda_k * Omega_k.

>>> from isthmus import L1, Autoencoder, MaskingNoise
>>> Autoencoder(8, corruption=MaskingNoise(0.25), penalty=1e-3 * L1())
Autoencoder(n_components=8, corruption=MaskingNoise(), penalty=L1(weight=0.001))

Importing the package imports neither torch nor scikit-learn; each name is fetched when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.lazily import fetching

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
    from isthmus.auditing import Audit, ComponentCurve, Tradeoff, audit, component_curve, tradeoff
    from isthmus.autoencoder import Autoencoder
    from isthmus.checks import DataError, FileError, IsthmusError, TrainingError
    from isthmus.codes import BatchTopK, BinaryCode, Code, LinearCode, Nested, ReLUCode, SigmoidCode, TopK
    from isthmus.committee import united
    from isthmus.corruptions import (
        BlindSpots,
        BlockMask,
        Corruption,
        Distortion,
        GaussianNoise,
        MaskingNoise,
        NoiseAtSNR,
        NoiseLevels,
        SaltAndPepper,
        SwapNoise,
        VaryingMask,
    )
    from isthmus.denoising import AudioDenoiser, Denoiser, PhotoDenoiser, SampleDenoiser
    from isthmus.diagnostics import pca_comparison
    from isthmus.exporting import export
    from isthmus.holes import Blocks, HoleMask, Painted, Pixels, Strokes
    from isthmus.imputation import Imputer, pool
    from isthmus.inpainting import Inpainter
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
        Sparse,
        Standard,
        Table,
        UnitRange,
        Unscaled,
        open_source,
    )
    from isthmus.losses import (
        BinaryCrossEntropy,
        BoundedSquaredError,
        Deviance,
        Huber,
        LogDistortion,
        Loss,
        Multinomial,
        SquaredError,
    )
    from isthmus.many import fit_many
    from isthmus.networks import (
        MLP,
        Architecture,
        Completing,
        ConvNet,
        Dictionary,
        FilledConvNet,
        Linear,
        ReLU,
        ResidualConvNet,
        Sigmoid,
        SiLU,
        SpectralMask,
        Suited,
        Tanh,
    )
    from isthmus.parts import Part
    from isthmus.penalties import L1, BitBalance, Contraction, KLSparsity, L2Weights, Penalty
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
    from isthmus.retrieval import (
        ITQ,
        Cosine,
        Euclidean,
        Exact,
        Graph,
        MeanShift,
        Prefix,
        Retriever,
        Standardised,
    )
    from isthmus.saving import load, save
    from isthmus.scoring import Scorer
    from isthmus.training import Trainer

__version__ = "0.1.0"

_HOME = {
    "anomaly": "AnomalyDetector CellErrors CodeDistance DenoisingErrors DriftAlarm NearFar SeriesDetector",
    "auditing": "Audit ComponentCurve Tradeoff audit component_curve tradeoff",
    "autoencoder": "Autoencoder",
    "checks": "DataError FileError IsthmusError TrainingError",
    "codes": "BatchTopK BinaryCode Code LinearCode Nested ReLUCode SigmoidCode TopK",
    "committee": "united",
    "corruptions": (
        "BlindSpots BlockMask Corruption Distortion GaussianNoise MaskingNoise NoiseAtSNR NoiseLevels "
        "SaltAndPepper SwapNoise VaryingMask"
    ),
    "denoising": "AudioDenoiser Denoiser PhotoDenoiser SampleDenoiser",
    "diagnostics": "pca_comparison",
    "exporting": "export",
    "holes": "Blocks HoleMask Painted Pixels Strokes",
    "imputation": "Imputer pool",
    "inpainting": "Inpainter",
    "inputs": (
        "Auto Boolean Categorical Datetime Images Numeric Shared Signals Source Sparse Standard Table "
        "UnitRange Unscaled open_source"
    ),
    "losses": (
        "BinaryCrossEntropy BoundedSquaredError Deviance Huber LogDistortion Loss Multinomial SquaredError"
    ),
    "many": "fit_many",
    "networks": (
        "MLP Architecture Completing ConvNet Dictionary FilledConvNet Linear ReLU ResidualConvNet SiLU "
        "Sigmoid SpectralMask Suited Tanh"
    ),
    "parts": "Part",
    "penalties": "L1 BitBalance Contraction KLSparsity L2Weights Penalty",
    "recipes": (
        "contractive_autoencoder deep_autoencoder denoising_autoencoder k_sparse_autoencoder "
        "kl_sparse_autoencoder linear_autoencoder nested_autoencoder sparse_autoencoder "
        "undercomplete_autoencoder"
    ),
    "retrieval": "ITQ Cosine Euclidean Exact Graph MeanShift Prefix Retriever Standardised",
    "saving": "load save",
    "scoring": "Scorer",
    "training": "Trainer",
}
__getattr__ = fetching(__name__, _HOME)

__all__ = [
    "ITQ",
    "L1",
    "MLP",
    "AnomalyDetector",
    "Architecture",
    "AudioDenoiser",
    "Audit",
    "Auto",
    "Autoencoder",
    "BatchTopK",
    "BinaryCode",
    "BinaryCrossEntropy",
    "BitBalance",
    "BlindSpots",
    "BlockMask",
    "Blocks",
    "Boolean",
    "BoundedSquaredError",
    "Categorical",
    "CellErrors",
    "Code",
    "CodeDistance",
    "Completing",
    "ComponentCurve",
    "Contraction",
    "ConvNet",
    "Corruption",
    "Cosine",
    "DataError",
    "Datetime",
    "Denoiser",
    "DenoisingErrors",
    "Deviance",
    "Dictionary",
    "Distortion",
    "DriftAlarm",
    "Euclidean",
    "Exact",
    "FileError",
    "FilledConvNet",
    "GaussianNoise",
    "Graph",
    "HoleMask",
    "Huber",
    "Images",
    "Imputer",
    "Inpainter",
    "IsthmusError",
    "KLSparsity",
    "L2Weights",
    "Linear",
    "LinearCode",
    "LogDistortion",
    "Loss",
    "MaskingNoise",
    "MeanShift",
    "Multinomial",
    "NearFar",
    "Nested",
    "NoiseAtSNR",
    "NoiseLevels",
    "Numeric",
    "Painted",
    "Part",
    "Penalty",
    "PhotoDenoiser",
    "Pixels",
    "Prefix",
    "ReLU",
    "ReLUCode",
    "ResidualConvNet",
    "Retriever",
    "SaltAndPepper",
    "SampleDenoiser",
    "Scorer",
    "SeriesDetector",
    "Shared",
    "SiLU",
    "Sigmoid",
    "SigmoidCode",
    "Signals",
    "Source",
    "Sparse",
    "SpectralMask",
    "SquaredError",
    "Standard",
    "Standardised",
    "Strokes",
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
    "VaryingMask",
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
    "pool",
    "save",
    "sparse_autoencoder",
    "tradeoff",
    "undercomplete_autoencoder",
    "united",
]


def __dir__() -> list[str]:
    return sorted(__all__)
