"""Anomaly detection people can act on: a score, a p-value that holds, and a repair.

>>> from isthmus.anomaly import AnomalyDetector, CellErrors, NearFar
"""

from isthmus.anomaly.conformal import Calibration
from isthmus.anomaly.detector import AnomalyDetector, default_model
from isthmus.anomaly.drift import DriftAlarm
from isthmus.anomaly.errors import CellErrors, CodeDistance, DenoisingErrors
from isthmus.anomaly.nearfar import NearFar
from isthmus.anomaly.regions import Region
from isthmus.anomaly.score import AnomalyScore
from isthmus.anomaly.series import SeriesDetector
from isthmus.discoveries import discoveries

__all__ = [
    "AnomalyDetector",
    "AnomalyScore",
    "Calibration",
    "CellErrors",
    "CodeDistance",
    "DenoisingErrors",
    "DriftAlarm",
    "NearFar",
    "Region",
    "SeriesDetector",
    "default_model",
    "discoveries",
]
