"""Denoising: the clean thing given back.

>>> from isthmus.denoising import AudioDenoiser, Denoiser, PhotoDenoiser, psnr, si_sdr, snr, ssim
"""

from isthmus.denoising.audio import AudioDenoiser, default_sound_model
from isthmus.denoising.denoiser import Denoiser
from isthmus.denoising.levels import noise_level
from isthmus.denoising.metrics import psnr, si_sdr, snr, ssim
from isthmus.denoising.photos import PhotoDenoiser, default_photo_model
from isthmus.denoising.samples import SampleDenoiser, default_sample_model

__all__ = [
    "AudioDenoiser",
    "Denoiser",
    "PhotoDenoiser",
    "SampleDenoiser",
    "default_photo_model",
    "default_sample_model",
    "default_sound_model",
    "noise_level",
    "psnr",
    "si_sdr",
    "snr",
    "ssim",
]
