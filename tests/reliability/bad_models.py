"""Bad models, made from code: files that are none, broken structures, lies about sizes, killers, bombs.

Each is small; what it does to ONNX Runtime 1.31 (a clean error, SIGFPE, SIGABRT, an endless loop, 40 GB) differs, and
may change with its version. An audit must give each exactly one status, whatever it does.
"""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from tiny_models import linear_classifier

SIZE, CLASSES = 8, 4
INT_MIN = {np.int32: -(2**31), np.int64: -(2**63)}


def good(seed: int = 0) -> ModelProto:
    return linear_classifier(SIZE, CLASSES, seed=seed)


def bad_models() -> dict[str, bytes]:
    """Return every bad model by name; those that hang are named `hang_...`."""
    found: dict[str, bytes] = {}
    for family in (_no_models(), _broken(), _lies(), _killers(), _bombs(), _impostors()):
        for name, content in family:
            assert name not in found, name
            found[name] = content if isinstance(content, bytes) else content.SerializeToString()
    return found


# -- files that are no models -------------------------------------------------------------------------------------


def _no_models() -> Iterator[tuple[str, bytes]]:
    random = np.random.default_rng(0)
    whole = good().SerializeToString()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("model.onnx", whole)
    yield "empty", b""
    yield "one_byte", b"\x08"
    yield "blank", b" \n" * 100
    yield "pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2\nsize 13970133\n"
    yield "page", b"<!DOCTYPE html><html><script>alert(1)</script></html>"
    yield "page_upper", b"\n <HTML><BODY>404"
    yield "picture", b"\x89PNG\r\n\x1a\n" + bytes(100)
    yield "archive", archive.getvalue()
    yield "gzipped", gzip.compress(whole)
    yield "json", b'{"ir_version": 8, "graph": {}}'
    yield "pickle", pickle.dumps({"weights": [1.0]})
    yield "elf", b"\x7fELF\x02\x01\x01" + bytes(200)
    yield "flatbuffer", b"\x1c\x00\x00\x00ORTM" + random.bytes(500)
    yield "utf16", "ein Modell".encode("utf-16")
    yield "zeros", bytes(1000)
    yield "ones", b"\xff" * 1000
    for seed in range(5):
        yield f"noise_{seed}", np.random.default_rng(seed).bytes(200 * 4**seed)
    for percent in (1, 25, 50, 75, 90, 99):
        yield f"cut_{percent}", whole[: len(whole) * percent // 100]
    yield "tail", whole + random.bytes(50)
    yield "twice", whole + whole
    yield "length_bomb", b"\x3a\xff\xff\xff\xff\x07" + whole[:50]
    yield "nested_messages", b"\x3a\x7e" * 60
    yield "unknown_fields", b"\xfa\x7f\x04abcd" * 50


# -- structures that do not hold ----------------------------------------------------------------------------------


def _changed(change: Callable[[ModelProto], object]) -> ModelProto:
    model = good()
    change(model)
    return model


def _broken() -> Iterator[tuple[str, ModelProto]]:
    def node(**attributes: object) -> Callable[[ModelProto], object]:
        def change(model: ModelProto) -> None:
            for name, value in attributes.items():
                setattr(model.graph.node[0], name, value)

        return change

    def rank(*shape: object) -> Callable[[ModelProto], object]:
        def change(model: ModelProto) -> None:
            model.graph.input[0].CopyFrom(helper.make_tensor_value_info("input", TensorProto.FLOAT, list(shape)))

        return change

    def kind(where: str, element: int) -> Callable[[ModelProto], object]:
        return lambda model: setattr(getattr(model.graph, where)[0].type.tensor_type, "elem_type", element)

    yield "no_graph", _changed(lambda model: model.ClearField("graph"))
    yield "no_nodes", _changed(lambda model: model.graph.ClearField("node"))
    yield "no_output", _changed(lambda model: model.graph.ClearField("output"))
    yield "no_input", _changed(lambda model: model.graph.ClearField("input"))
    yield "no_weights", _changed(lambda model: model.graph.ClearField("initializer"))
    yield "no_opset", _changed(lambda model: model.ClearField("opset_import"))
    yield "opset_0", _changed(lambda model: setattr(model.opset_import[0], "version", 0))
    yield "opset_99", _changed(lambda model: setattr(model.opset_import[0], "version", 99))
    yield "opset_negative", _changed(lambda model: setattr(model.opset_import[0], "version", -1))
    yield "ir_0", _changed(lambda model: setattr(model, "ir_version", 0))
    yield "ir_99", _changed(lambda model: setattr(model, "ir_version", 99))
    yield "unknown_op", _changed(node(op_type="Frobnicate"))
    yield "no_op", _changed(node(op_type=""))
    yield "long_op", _changed(node(op_type="A" * 1_000_000))
    yield "script_op", _changed(node(op_type="<script>alert(1)</script>\x1b]0;owned\x07\x1b[31m\u202e"))
    yield "formula_op", _changed(node(op_type='=cmd|" /C calc"!A0'))
    yield "own_domain", _changed(node(domain="com.evil", op_type="Evil"))
    yield "cycle", _changed(lambda model: model.graph.node[0].input.__setitem__(0, "output"))
    yield "unmade_input", _changed(lambda model: model.graph.node[0].input.__setitem__(0, "nowhere"))
    yield "unmade_output", _changed(lambda model: setattr(model.graph.output[0], "name", "nowhere"))
    yield "made_twice", _changed(lambda model: model.graph.node[1].output.__setitem__(0, "flat"))
    yield "nameless", _changed(lambda model: setattr(model.graph.input[0], "name", ""))
    yield "too_few_inputs", _changed(lambda model: model.graph.node[1].ClearField("input"))
    yield "too_many_inputs", _changed(lambda model: model.graph.node[0].input.extend(["input"] * 200))
    yield "attribute_type", _changed(lambda model: model.graph.node[0].attribute.add(name="axis", s=b"x", type=3))
    yield "attribute_kind", _changed(lambda model: model.graph.node[0].attribute.add(name="axis", type=14, i=1))
    yield "axis_9", _changed(lambda model: model.graph.node[0].attribute.add(name="axis", i=9, type=2))
    for shape in ((), ("N",), ("N", 3), ("N", 3, 8), ("N", 3, 8, 8, 8), ("N", 2, 8, 8), ("N", 8, 8, 8), (0, 3, 8, 8)):
        yield f"input_{'x'.join(map(str, shape)) or 'scalar'}", _changed(rank(*shape))
    yield "input_huge", _changed(rank("N", 3, 2**40, 2**40))
    yield "input_large", _changed(rank("N", 3, 60_000, 60_000))
    for element in (TensorProto.STRING, TensorProto.INT64, TensorProto.BOOL, TensorProto.COMPLEX64, 0, 99):
        yield f"input_type_{element}", _changed(kind("input", element))
        yield f"output_type_{element}", _changed(kind("output", element))
    yield "two_inputs", _changed(lambda model: model.graph.input.append(model.graph.output[0]))
    yield (
        "two_outputs",
        _changed(lambda model: model.graph.output.append(helper.make_tensor_value_info("flat", 1, None))),
    )
    for key, value in {
        "preprocess.mean": "[0.1, 0.2]",
        "preprocess.std": "[0, 0, 0]",
        "preprocess.scale": "1e400",
        "preprocess.colour": "RGB",
        "output.class_offset": "-3",
        "input.size": "[" * 500,
        "input.layout": "<script>",
    }.items():
        yield (
            f"metadata_{key}",
            _changed(
                lambda model, key=key, value=value: model.metadata_props.add(key=f"consensus_onnx.{key}", value=value)
            ),
        )


def _lies() -> Iterator[tuple[str, ModelProto]]:
    """Tensors whose description and bytes do not agree."""

    def weights(**fields: object) -> Callable[[ModelProto], object]:
        def change(model: ModelProto) -> None:
            tensor = model.graph.initializer[0]
            for name, value in fields.items():
                if isinstance(value, list):
                    tensor.ClearField(name)
                    getattr(tensor, name).extend(value)
                else:
                    setattr(tensor, name, value)

        return change

    yield "dims_too_large", _changed(weights(dims=[CLASSES, 10_000]))
    yield "dims_too_small", _changed(weights(dims=[CLASSES, 3]))
    yield "dims_negative", _changed(weights(dims=[-1, 192]))
    yield "dims_overflow", _changed(weights(dims=[2**62, 2**62]))
    yield "dims_zero", _changed(weights(dims=[0, 192]))
    yield "dims_many", _changed(weights(dims=[1] * 5000))
    yield "type_0", _changed(weights(data_type=0))
    yield "type_99", _changed(weights(data_type=99))
    yield "type_string", _changed(weights(data_type=TensorProto.STRING))
    yield "type_int4", _changed(weights(data_type=TensorProto.INT4))
    yield "data_twice", _changed(weights(float_data=[1.0, 2.0]))
    yield "data_cut", _changed(weights(raw_data=b"\0" * 7))
    yield "data_none", _changed(weights(raw_data=b""))
    yield "segmented", _changed(lambda model: setattr(model.graph.initializer[0].segment, "begin", 5))
    yield "unnamed_weights", _changed(weights(name=""))
    for value in ("nan", "inf"):
        full = numpy_helper.from_array(np.full((CLASSES, 192), float(value), np.float32), "weights")
        yield f"weights_{value}", _changed(lambda model, full=full: model.graph.initializer[0].CopyFrom(full))

    def sparse(model: ModelProto) -> None:
        entry = model.graph.sparse_initializer.add()
        entry.values.CopyFrom(numpy_helper.from_array(np.ones(3, np.float32), "sparse"))
        entry.indices.CopyFrom(numpy_helper.from_array(np.array([5, 2**40, -7], np.int64), "indices"))
        entry.dims.extend([4, 4])

    yield "sparse", _changed(sparse)


# -- what native code does not survive, or not soon ---------------------------------------------------------------


def _with(nodes: Sequence[NodeProto], value: str, constants: dict[str, np.ndarray] | None = None) -> ModelProto:
    """Return a classifier whose answer takes in a value that some nodes make."""
    model = good()
    graph = model.graph
    graph.node[-1].output[0] = "plain"
    graph.node.extend(nodes)
    graph.node.extend(
        [
            helper.make_node("Cast", [value], ["danger_float"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMax", ["danger_float"], ["danger_one"], keepdims=0),
            helper.make_node("Mul", ["danger_one", "danger_zero"], ["danger_none"]),
            helper.make_node("Add", ["plain", "danger_none"], ["output"]),
        ]
    )
    everything = {**(constants or {}), "danger_zero": np.array(0, np.float32)}
    graph.initializer.extend(numpy_helper.from_array(np.asarray(array), name) for name, array in everything.items())
    return model


def _killers() -> Iterator[tuple[str, ModelProto]]:
    for kind, least in INT_MIN.items():
        element = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        numbers = {"least": np.array([least], kind), "minus": np.array([-1], kind), "none": np.array([0], kind)}
        for operator in ("Div", "Mod"):
            folded = [helper.make_node(operator, ["least", "minus"], ["danger"])]
            yield f"{operator}_{kind.__name__}_at_load", _with(folded, "danger", numbers)
            at_run = [  # zero that is not known before the picture is
                helper.make_node("ReduceMin", ["input"], ["darkest"], keepdims=0),
                helper.make_node("Mul", ["darkest", "danger_zero"], ["nothing"]),
                helper.make_node("Cast", ["nothing"], ["whole"], to=element),
                helper.make_node("Add", ["whole", "least"], ["made"]),
                helper.make_node(operator, ["made", "minus"], ["danger"]),
            ]
            yield f"{operator}_{kind.__name__}_at_run", _with(at_run, "danger", numbers)
            by_zero = [helper.make_node(operator, ["least", "none"], ["danger"])]
            yield f"{operator}_{kind.__name__}_by_zero", _with(by_zero, "danger", numbers)
    ends = {name: np.array([value], np.int64) for name, value in {"from": 5, "to": 2, "axis": 0, "step": 1}.items()}
    clamp = [
        helper.make_node("Pad", ["line", "pads"], ["padded"]),
        helper.make_node("Slice", ["padded", "from", "to", "axis", "step"], ["danger"]),
    ]
    pads = {"line": np.ones(3, np.float32), "pads": np.array([-5, -5], np.int64)}
    yield "slice_clamp", _with(clamp, "danger", {**ends, **pads})
    yield "hang_loop", _with(*_loop(2**62))
    for name, attributes in {
        "group_0": {"group": 0},
        "group_many": {"group": 1000},
        "kernel_0": {"kernel_shape": [0, 0]},
        "kernel_huge": {"kernel_shape": [2**40, 2**40]},
        "pads_huge": {"pads": [2**40] * 4},
        "pads_negative": {"pads": [-100] * 4},
        "strides_0": {"strides": [0, 0]},
        "dilations_huge": {"dilations": [2**31, 2**31]},
    }.items():
        convolution = [helper.make_node("Conv", ["input", "kernel"], ["danger"], **attributes)]
        yield f"conv_{name}", _with(convolution, "danger", {"kernel": np.ones((2, 3, 3, 3), np.float32)})
    index = {"where": np.array([2**40, -(2**40)], np.int64), "table": np.ones(3, np.float32)}
    yield "gather_far", _with([helper.make_node("Gather", ["table", "where"], ["danger"])], "danger", index)
    scatter = [helper.make_node("ScatterElements", ["table", "where", "two"], ["danger"])]
    yield "scatter_far", _with(scatter, "danger", {**index, "two": np.ones(2, np.float32)})
    unpool = [helper.make_node("MaxUnpool", ["cells", "places"], ["danger"], kernel_shape=[2, 2])]
    cells = {"cells": np.ones((1, 1, 2, 2), np.float32), "places": np.full((1, 1, 2, 2), 2**40, np.int64)}
    yield "unpool_far", _with(unpool, "danger", cells)
    reshape = [helper.make_node("Reshape", ["input", "shape"], ["danger"])]
    for name, shape in {"two_unknown": [-1, -1], "huge": [2**40, 2**40], "negative": [-5, 3]}.items():
        yield f"reshape_{name}", _with(reshape, "danger", {"shape": np.array(shape, np.int64)})


def _loop(trips: int) -> tuple[list[NodeProto], str, dict[str, np.ndarray]]:
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["still_on"]),
            helper.make_node("Sin", ["before"], ["after"]),
        ],
        "body",
        [
            info("trip", TensorProto.INT64, []),
            info("on", TensorProto.BOOL, []),
            info("before", TensorProto.FLOAT, None),
        ],
        [info("still_on", TensorProto.BOOL, []), info("after", TensorProto.FLOAT, None)],
    )
    nodes = [helper.make_node("Loop", ["trips", "go", "input"], ["danger"], body=body)]
    return nodes, "danger", {"trips": np.array(trips, np.int64), "go": np.array(True)}


def _bombs() -> Iterator[tuple[str, ModelProto]]:
    """A few bytes that stand for gigabytes."""
    for name, shape in {"40_gb": [10_000, 1_000_000], "cube": [100_000] * 3, "negative": [-1, 5]}.items():
        fill = [helper.make_node("ConstantOfShape", ["shape"], ["danger"])]
        yield f"fill_{name}", _with(fill, "danger", {"shape": np.array(shape, np.int64)})
    one = {"one": np.ones((1, 1), np.float32)}
    huge = {"huge": np.array([200_000, 200_000], np.int64)}
    yield "expand", _with([helper.make_node("Expand", ["one", "huge"], ["danger"])], "danger", {**one, **huge})
    yield "tile", _with([helper.make_node("Tile", ["one", "huge"], ["danger"])], "danger", {**one, **huge})
    run = {"from": np.array(0, np.int64), "to": np.array(2**40, np.int64), "by": np.array(1, np.int64)}
    yield "range", _with([helper.make_node("Range", ["from", "to", "by"], ["danger"])], "danger", run)
    yield (
        "range_0",
        _with(
            [helper.make_node("Range", ["from", "to", "by"], ["danger"])],
            "danger",
            {**run, "by": np.array(0, np.int64)},
        ),
    )
    noise = [helper.make_node("RandomNormal", [], ["danger"], shape=[200_000, 200_000])]
    yield "noise", _with(noise, "danger")
    scales = {"scales": np.array([1, 1, 20_000, 20_000], np.float32)}
    yield "resize", _with([helper.make_node("Resize", ["input", "", "scales"], ["danger"])], "danger", scales)
    pads = {"pads": np.array([0, 0, 90_000, 90_000, 0, 0, 0, 0], np.int64)}
    yield "pad", _with([helper.make_node("Pad", ["input", "pads"], ["danger"])], "danger", pads)
    hot = {"where": np.zeros(4, np.int64), "depth": np.array(2**34, np.int64), "values": np.array([0, 1], np.float32)}
    yield "one_hot", _with([helper.make_node("OneHot", ["where", "depth", "values"], ["danger"])], "danger", hot)
    yield "functions", _nested_functions(4)
    yield "functions_deep", _nested_functions(8)
    yield "self_calling", _nested_functions(1, recursive=True)


def _nested_functions(levels: int, *, recursive: bool = False) -> ModelProto:
    """Return a model whose function calls ten others, each of which calls ten others, and so on."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model = _with([helper.make_node("f0", ["input"], ["danger"], domain="own")], "danger")
    model.opset_import.append(opsets[1])
    for level in range(levels):
        below = f"f{level if recursive else level + 1}"
        names = ["x", *(f"x{call}" for call in range(10))]
        last = level == levels - 1 and not recursive
        nodes = [
            helper.make_node("Sin" if last else below, [source], [made], domain="" if last else "own")
            for source, made in pairwise(names)
        ]
        model.functions.append(helper.make_function("own", f"f{level}", ["x"], [names[-1]], nodes, opsets))
    return model


# -- models that run, and are no classifiers of these pictures ----------------------------------------------------


def _impostors() -> Iterator[tuple[str, ModelProto]]:
    def answering(*nodes: NodeProto, shape: Sequence[object] = ("N", CLASSES)) -> ModelProto:
        model = good()
        model.graph.node[-1].output[0] = "plain"
        model.graph.node.extend(nodes)
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info("output", TensorProto.FLOAT, list(shape)))
        return model

    make = helper.make_node
    yield "one_class", answering(make("ReduceSum", ["plain"], ["output"], keepdims=0), shape=())
    yield "few_classes", linear_classifier(SIZE, 2)
    yield "many_classes", linear_classifier(SIZE, 1000)
    yield "maps", answering(make("Identity", ["input"], ["output"]), shape=("N", 3, 8, 8))
    yield (
        "log_of_negative",
        answering(
            make("Abs", ["plain"], ["size"]), make("Neg", ["size"], ["below"]), make("Log", ["below"], ["output"])
        ),
    )
    yield (
        "infinite",
        answering(make("Exp", ["plain"], ["e"]), make("Exp", ["e"], ["ee"]), make("Exp", ["ee"], ["output"])),
    )
    yield "mixed_batch", answering(make("ReduceMean", ["plain"], ["output"], axes=[0]), shape=(1, CLASSES))
    yield "text", answering(make("Cast", ["plain"], ["output"], to=TensorProto.STRING))


# -- mutants ------------------------------------------------------------------------------------------------------


def mutants(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield damaged copies of a valid model: flipped, cut, doubled, deleted and inserted bytes, and swapped fields."""
    random = np.random.default_rng(seed)
    whole = good().SerializeToString()
    text = len(whole) - len(good().graph.initializer[0].raw_data)  # the rest are weights, whose bits harm nobody
    for index in range(count):
        data = bytearray(whole)
        for _ in range(int(random.integers(1, 4))):
            place = int(random.integers(len(data) if random.random() < 0.2 else min(len(data), text)))
            length = int(random.integers(1, 9))
            match int(random.integers(6)):
                case 0:
                    data[place] ^= 1 << int(random.integers(8))
                case 1:
                    data[place : place + length] = random.bytes(length)
                case 2:
                    del data[place : place + length]
                case 3:
                    data[place:place] = data[place : place + length]
                case 4:
                    data[place:place] = random.bytes(length)
                case 5:
                    data = data[: max(1, len(data) - length)]
        yield f"mutant_{index:04}", bytes(data)


def _field_mutants(count: int, seed: int) -> Iterator[ModelProto]:
    """Yield models with numbers and names of their structure changed, which stay readable."""
    random = np.random.default_rng(seed)
    numbers = (0, -1, 1, 2, 7, 2**31 - 1, -(2**31), 2**40, 2**62)
    for _ in range(count):
        model = onnx.ModelProto()
        model.CopyFrom(good())
        places: list[tuple[object, str]] = [(tensor, "data_type") for tensor in model.graph.initializer]
        places += [(node, "op_type") for node in model.graph.node]
        places += [(dim, "dim_value") for value in model.graph.input for dim in value.type.tensor_type.shape.dim]
        places += [(dim, "dim_value") for value in model.graph.output for dim in value.type.tensor_type.shape.dim]
        places += [(attribute, "i") for node in model.graph.node for attribute in node.attribute]
        owner, name = places[int(random.integers(len(places)))]
        operators = ("Relu", "Conv", "MatMul", "Slice", "Loop", "If", "Gather", "Softmax", "Flatten", "Gemm", "Resize")
        if name == "op_type":
            owner.op_type = operators[int(random.integers(len(operators)))]  # type: ignore[attr-defined]
        elif name == "data_type":
            owner.data_type = int(random.integers(0, 25))  # type: ignore[attr-defined]
        else:
            setattr(owner, name, numbers[int(random.integers(len(numbers)))])
        if random.random() < 0.5:
            dims = model.graph.initializer[0].dims
            dims[int(random.integers(len(dims)))] = numbers[int(random.integers(len(numbers)))]
        yield model


def all_mutants(count: int, seed: int = 0) -> dict[str, bytes]:
    """Return mutants of bytes and of structure, half and half."""
    found = dict(mutants(count - count // 2, seed))
    fields = enumerate(_field_mutants(count // 2, seed + 1))
    return found | {f"field_{index:04}": model.SerializeToString() for index, model in fields}
