"""Networks: architectures (parts) and the torch modules they build."""

from isthmus.networks.activations import Activation, ReLU, Sigmoid, SiLU, Tanh
from isthmus.networks.architecture import MLP, Architecture, Dictionary, Linear
from isthmus.networks.chain import Chain, TiedLinear
from isthmus.networks.completing import Completing, Filling
from isthmus.networks.conv import ConvNet
from isthmus.networks.filled import FilledConvNet
from isthmus.networks.jacobian import decoder_gram, encoder_gram, probed_encoder, probed_reconstruction
from isthmus.networks.network import Network
from isthmus.networks.residual import ResidualConvNet
from isthmus.networks.spectral import SpectralMask
from isthmus.networks.suited import Suited

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
    "Network",
    "ReLU",
    "ResidualConvNet",
    "SiLU",
    "Sigmoid",
    "SpectralMask",
    "Suited",
    "Tanh",
    "TiedLinear",
    "decoder_gram",
    "encoder_gram",
    "probed_encoder",
    "probed_reconstruction",
]
