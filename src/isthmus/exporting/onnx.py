"""ONNX: the traced graph, strings on both sides of it, and metadata, in one file."""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

import isthmus
from isthmus.autoencoder import Autoencoder
from isthmus.checks import DataError, brief
from isthmus.exporting.columns import Fitted, Outputs, feeds, fitted_schema, split_columns
from isthmus.exporting.graph import scorer_of
from isthmus.exporting.judging import OUTPUTS, DetectorModule, refuse_unwritable
from isthmus.inputs import ArraySchema, LevelSpec, SignalsSchema, TableSchema

__all__ = ["runner", "runner_of", "written", "written_detector"]

NEEDED = ("onnx", "onnxscript", "onnxruntime")
EXAMPLE = 5  # rows to trace with: neither 0 nor 1, which tracers treat apart


def written(model: Autoencoder) -> bytes:
    """The model as the bytes of an ONNX file."""
    _need_packages()
    schema = fitted_schema(model)
    example = _example(schema)
    names = ["z", *(_HAT[name] for name in example), "errors", "score"]
    proto = _traced(scorer_of(model), example, names)
    _describe(proto, model, schema)
    return _bytes(proto, schema)


def written_detector(detector: Any) -> bytes:
    """A fitted detector as the bytes of an ONNX file."""
    _need_packages()
    refuse_unwritable(detector)
    first = detector.models_[0]
    schema = fitted_schema(first)
    proto = _traced(DetectorModule(detector).eval(), _example(schema), OUTPUTS)
    _describe(proto, first, schema)
    facts = {"threshold": -detector.offset_, "alpha": detector.alpha, "rows": detector.calibration_.rows}
    for name, value in facts.items():
        proto.metadata_props.add(key=name, value=str(float(value)))
    return _bytes(proto, schema)


def _bytes(proto: Any, schema: Fitted) -> bytes:
    """The file's content, its text read as text."""
    import onnx

    if isinstance(schema, TableSchema):
        _read_text(proto, schema)
    try:
        content: bytes = proto.SerializeToString()
        onnx.checker.check_model(content)
    except ValueError:
        raise DataError("an ONNX file must be under 2 GB; got a larger model. Use isthmus.save.") from None
    except onnx.checker.ValidationError as error:
        raise _untraceable(str(error)) from None
    return content


def runner(model: Autoencoder, content: bytes) -> Callable[[Any], Outputs]:
    """The file's graph in onnxruntime, as a function of data of the kind that was fitted."""
    schema = fitted_schema(model)
    outputs = runner_of(schema, content)

    def run(X: Any) -> Outputs:
        given = outputs(X)
        x_hat = given.get("x_hat")
        if isinstance(schema, TableSchema):
            x_hat = _columns(schema, x_hat, given.get("text_hat"))
        return Outputs(given["z"], x_hat, given["errors"], given["score"])

    return run


def runner_of(schema: Fitted, content: bytes) -> Callable[[Any], dict[str, Any]]:
    """The file's graph in onnxruntime: data of the schema's kind -> its outputs by name."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own kinds, which differ by version
        raise _untraceable(str(error)) from None
    names = [output.name for output in session.get_outputs()]

    def run(X: Any) -> dict[str, Any]:
        return dict(zip(names, session.run(names, _wanted(session, feeds(schema, X))), strict=True))

    return run


def _wanted(session: Any, fed: dict[str, Any]) -> dict[str, Any]:
    return {one.name: fed[one.name] for one in session.get_inputs()}


def _columns(schema: TableSchema, numbers: Any, words: Any) -> list[Any]:
    """A table's columns in the order of fitting, from its two matrices."""
    places, text = split_columns(schema)
    made = {j: numbers[:, i] for i, j in enumerate(places)} | {j: words[:, i] for i, j in enumerate(text)}
    return [made[j] for j in range(len(schema.columns))]


def _need_packages() -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ImportError(f"ONNX needs {', '.join(missing)}. Run: pip install 'isthmus[onnx]'")


# ---------------------------------------------------------------- tracing


def _traced(scorer: torch.nn.Module, example: dict[str, torch.Tensor], outputs: Sequence[str]) -> Any:
    """A module as an ONNX graph that takes any number of rows."""
    rows, given = torch.export.Dim("n", min=1), tuple(example.values())
    with torch.no_grad(), _quiet():
        scorer(*given)  # whatever parts keep between calls is made of real tensors, not of the tracer's
        try:
            program = torch.onnx.export(
                scorer,
                given,
                dynamo=True,
                dynamic_shapes=(tuple({0: rows} for _ in given),),
                input_names=list(example),
                output_names=list(outputs),
                verbose=False,
                optimize=False,  # the optimiser of onnxscript 0.7 loses a bound of two equal Clips
            )
        except Exception as error:  # whatever a user's own module may cause in the tracer
            raise _untraceable(str(error.__cause__ or error)) from None
    assert program is not None
    proto = _plain(program.model_proto)
    if not all(one.type.tensor_type.shape.dim[0].dim_param for one in proto.graph.input):
        raise _untraceable("it works for one number of rows only, as len(x) in a forward does")
    return proto


_HAT = {"X": "x_hat", "codes": "codes_hat"}


def _untraceable(reason: str) -> DataError:
    reason = brief(reason, 200).rstrip(".")
    return DataError(
        f"the network cannot be written as ONNX: {reason}. "
        "Use isthmus.save, or layers of torch.nn and x.shape[0]."
    )


def _example(schema: Fitted) -> dict[str, torch.Tensor]:
    """Inputs to trace with, by name."""
    if isinstance(schema, ArraySchema):
        X = np.zeros((EXAMPLE, *(schema.shape or (len(schema.names),))))
        return {"X": torch.from_numpy(feeds(schema, X)["X"])}
    numbers, text = split_columns(schema)
    matrix = torch.zeros((EXAMPLE, len(numbers)), dtype=torch.float64)
    codes = torch.zeros((EXAMPLE, len(text)), dtype=torch.int64)
    return ({"X": matrix} if numbers else {}) | ({"codes": codes} if text else {})


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the tracer's remarks about itself."""
    log = logging.getLogger("torch.onnx")
    quiet = [log, logging.getLogger("torch.onnx._internal.exporter._registration")]
    levels = [one.level for one in quiet]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for one in quiet:
                one.setLevel(logging.ERROR)
            yield
        finally:
            for one, level in zip(quiet, levels, strict=True):
                one.setLevel(level)


def _plain(proto: Any) -> Any:
    """The graph without the tracer's notes, which name files of the machine it was traced on."""
    for holder in (proto.graph, *proto.functions):
        for item in (*holder.node, *getattr(holder, "value_info", ())):
            del item.metadata_props[:]
            item.doc_string = ""
    for item in (*proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""
    del proto.graph.metadata_props[:]
    del proto.metadata_props[:]
    proto.doc_string = proto.graph.doc_string = ""
    return proto


# ---------------------------------------------------------------- strings


def _read_text(proto: Any, schema: TableSchema) -> None:
    """Put `text` in the place of `codes`, and `text_hat` in that of `codes_hat`."""
    from onnx import TensorProto, helper

    text = split_columns(schema)[1]
    if not text:
        return
    proto.opset_import.add(domain="ai.onnx.ml", version=2)
    graph = proto.graph
    specs = [spec for spec in (schema.columns[j] for j in text) if isinstance(spec, LevelSpec)]
    before = _by_column("text", "codes", [_encoder(spec) for spec in specs])
    rebuilt = any(one.name == "codes_hat" for one in graph.output)
    after = _by_column("codes_hat", "text_hat", [_decoder(spec) for spec in specs]) if rebuilt else []
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    sides = [(graph.input, "codes", "text"), (graph.output, "codes_hat", "text_hat")]
    for side, old, new in sides[: 1 + rebuilt]:
        place = next(i for i, one in enumerate(side) if one.name == old)
        side[place].CopyFrom(helper.make_tensor_value_info(new, TensorProto.STRING, ["n", len(text)]))


def _by_column(source: str, target: str, attributes: list[dict[str, Any]]) -> list[Any]:
    """Nodes that send every column of `source` (n, columns) through a LabelEncoder of its own."""
    from onnx import helper

    count = len(attributes)
    before = [f"{source}_{i}" for i in range(count)]
    after = [f"{target}_{i}" for i in range(count)]
    split = helper.make_node("Split", [source], before, axis=1, num_outputs=count)
    encoders = [
        helper.make_node("LabelEncoder", [a], [b], domain="ai.onnx.ml", **attribute)
        for a, b, attribute in zip(before, after, attributes, strict=True)
    ]
    return [split, *encoders, helper.make_node("Concat", after, [target], axis=1)]


def _encoder(spec: LevelSpec) -> dict[str, Any]:
    """Text to the number of its level, -1 where missing; one never met goes where the schema puts it."""
    keys = {"": -1} | {level: j for j, level in enumerate(spec.levels)}
    unseen = len(spec.levels) if spec.others else -1
    return {"keys_strings": list(keys), "values_int64s": list(keys.values()), "default_int64": unseen}


def _decoder(spec: LevelSpec) -> dict[str, Any]:
    """The number of a level to its text, "" for the others."""
    levels = spec.levels or ("",)
    return {"keys_int64s": range(len(levels)), "values_strings": levels, "default_string": ""}


# ---------------------------------------------------------------- metadata


def _describe(proto: Any, model: Autoencoder, schema: Fitted) -> None:
    """What the file is, and which columns it takes in which order."""
    facts = {"isthmus": isthmus.__version__, "fingerprint": model.fingerprint_["sha256"]}
    if isinstance(schema, TableSchema):
        numbers, text = split_columns(schema)
        groups = {"X": numbers, "text": text, "errors": range(len(schema.names))}
        facts |= {name: json.dumps([schema.names[j] for j in group]) for name, group in groups.items()}
    else:
        facts["X"] = json.dumps(list(schema.shape or (len(schema.names),)))
    if isinstance(model.schema_, SignalsSchema) and model.schema_.rate is not None:
        facts["rate"] = str(model.schema_.rate)
    for key, value in facts.items():
        proto.metadata_props.add(key=key, value=str(value))
    proto.producer_name, proto.producer_version = "isthmus", isthmus.__version__
    proto.graph.name = "autoencoder"
