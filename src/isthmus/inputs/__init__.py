"""Inputs: tables, pictures, signals and files as numbers, and back; without torch."""

from isthmus.inputs.arrays import ArraySchema, columns_of
from isthmus.inputs.auto import Auto
from isthmus.inputs.base import Encoded, Inputs, Schema
from isthmus.inputs.columns import (
    Boolean,
    Categorical,
    ColumnKind,
    Datetime,
    LevelSpec,
    NumberSpec,
    Numeric,
    TruthSpec,
    UnseenLevels,
)
from isthmus.inputs.disk import NpySource, as_source, open_source
from isthmus.inputs.folders import Folder, labels_of, loaded
from isthmus.inputs.frames import DType, as_frame_like
from isthmus.inputs.gaps import completed, gaps_of, numbers_of, scales_of
from isthmus.inputs.images import Images, ImagesSchema, Pictures, value_range
from isthmus.inputs.sampling import RunningMean, encoded, learned, sample
from isthmus.inputs.scaling import Scales, Scaling, Shared, Standard, UnitRange, Unscaled
from isthmus.inputs.signals import Recordings, Signals, SignalsSchema
from isthmus.inputs.source import Source, rows_of
from isthmus.inputs.sparse import Sparse, SparseSchema, SparseSource, is_sparse
from isthmus.inputs.table import Table, TableSchema

__all__ = [
    "ArraySchema",
    "Auto",
    "Boolean",
    "Categorical",
    "ColumnKind",
    "DType",
    "Datetime",
    "Encoded",
    "Folder",
    "Images",
    "ImagesSchema",
    "Inputs",
    "LevelSpec",
    "NpySource",
    "NumberSpec",
    "Numeric",
    "Pictures",
    "Recordings",
    "RunningMean",
    "Scales",
    "Scaling",
    "Schema",
    "Shared",
    "Signals",
    "SignalsSchema",
    "Source",
    "Sparse",
    "SparseSchema",
    "SparseSource",
    "Standard",
    "Table",
    "TableSchema",
    "TruthSpec",
    "UnitRange",
    "Unscaled",
    "UnseenLevels",
    "as_frame_like",
    "as_source",
    "columns_of",
    "completed",
    "encoded",
    "gaps_of",
    "is_sparse",
    "labels_of",
    "learned",
    "loaded",
    "numbers_of",
    "open_source",
    "rows_of",
    "sample",
    "scales_of",
    "value_range",
]
