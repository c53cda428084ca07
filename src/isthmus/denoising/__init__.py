"""Denoising: the clean thing given back.

>>> from isthmus.denoising import AudioDenoiser, si_sdr, snr
"""

from isthmus.denoising.audio import AudioDenoiser, default_sound_model
from isthmus.denoising.metrics import si_sdr, snr

__all__ = ["AudioDenoiser", "default_sound_model", "si_sdr", "snr"]
