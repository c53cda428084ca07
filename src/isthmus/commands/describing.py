"""What `info` says of a file, by what it holds."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus.report.console import Report

__all__ = ["described"]

REPORTS = {  # what a file may hold, and the function that describes it
    "Autoencoder": "isthmus.report.console.model_report",
    "AnomalyDetector": "isthmus.commands.detecting.detector_report",
    "SeriesDetector": "isthmus.commands.detecting.detector_report",
    "AudioDenoiser": "isthmus.commands.denoising.denoiser_report",
    "PhotoDenoiser": "isthmus.commands.denoising.denoiser_report",
    "SampleDenoiser": "isthmus.commands.denoising.denoiser_report",
    "Inpainter": "isthmus.commands.inpainting.inpainter_report",
    "Imputer": "isthmus.commands.impute.imputer_report",
}


def described(model: Any, path: Path) -> Report:
    """The report on what a file holds."""
    module, _, name = REPORTS[type(model).__name__].rpartition(".")
    report: Report = getattr(import_module(module), name)(model, path)
    return report
