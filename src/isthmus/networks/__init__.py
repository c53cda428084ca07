"""Networks: architectures (parts) and the torch modules they build."""

from typing import TYPE_CHECKING

from isthmus.lazily import fetching
from isthmus.networks.activations import Activation, ReLU, Sigmoid, SiLU, Tanh
from isthmus.networks.architecture import MLP, Architecture, Dictionary, Linear
from isthmus.networks.conv import ConvNet
from isthmus.networks.mersenne import Mersenne
from isthmus.networks.plain import PlainChain, PlainNetwork
from isthmus.networks.suited import Suited, dense_layers

if TYPE_CHECKING:
    from isthmus.networks.chain import Chain, TiedLinear
    from isthmus.networks.completing import Completing, Filling
    from isthmus.networks.filled import FilledConvNet
    from isthmus.networks.jacobian import decoder_gram, encoder_gram, probed_encoder, probed_reconstruction
    from isthmus.networks.network import Network
    from isthmus.networks.residual import ResidualConvNet
    from isthmus.networks.spectral import SpectralMask

__getattr__ = fetching(
    __name__,
    {
        "chain": "Chain TiedLinear",
        "completing": "Completing Filling",
        "filled": "FilledConvNet",
        "jacobian": "decoder_gram encoder_gram probed_encoder probed_reconstruction",
        "network": "Network",
        "residual": "ResidualConvNet",
        "spectral": "SpectralMask",
    },
)

__all__ = [
    "MLP",
    "Activation",
    "Architecture",
    "Chain",
    "Completing",
    "ConvNet",
    "Dictionary",
    "FilledConvNet",
    "Filling",
    "Linear",
    "Mersenne",
    "Network",
    "PlainChain",
    "PlainNetwork",
    "ReLU",
    "ResidualConvNet",
    "SiLU",
    "Sigmoid",
    "SpectralMask",
    "Suited",
    "Tanh",
    "TiedLinear",
    "decoder_gram",
    "dense_layers",
    "encoder_gram",
    "probed_encoder",
    "probed_reconstruction",
]
