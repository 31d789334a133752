"""What a model reads: its picture input and the preprocessing before it."""

from __future__ import annotations

from onnx import ModelProto, TensorProto, ValueInfoProto

from consensus_onnx.committee.declaration import Color, Layout
from consensus_onnx.committee.facts import InputFacts, Preprocessing
from consensus_onnx.committee.sheet import Sheet, describe, dims_of

# The convention of ImageNet models, for what neither a person nor the file declares.
CONVENTION_SIZE = (224, 224)
CONVENTION = Preprocessing(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

_FLOATS: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16", TensorProto.DOUBLE: "float64"}


def resolve_input(sheet: Sheet, model: ModelProto) -> InputFacts:
    """Choose and describe the input that takes the picture.

    Raises
    ------
    ModelError
        If no input or no single one can be chosen, or it is no batch of pictures of 1 or 3 channels.
    """
    chosen = _choose(sheet, model)
    dims = dims_of(chosen)
    element = chosen.type.tensor_type.elem_type
    if element not in _FLOATS:
        name = TensorProto.DataType.Name(element).lower() if element else "no type"
        raise sheet.error(
            f"input {chosen.name!r} takes {name}, expected float32, float16 or float64; "
            "export the model with a float input"
        )
    layout, channels = _layout(sheet, chosen, dims)
    in_file = (dims[2], dims[3]) if layout == "NCHW" else (dims[1], dims[2])
    usual: Color = "GRAY" if channels == 1 else "RGB"
    source = "file" if channels == 1 else "convention"
    color: Color = sheet.take("input.color") or sheet.settle("input.color", usual, source)
    if channels is not None and (color == "GRAY") != (channels == 1):
        raise sheet.error(f"input.color is {color}, but input {describe(chosen)} has {channels} channels")
    return InputFacts(chosen.name, layout, _size(sheet, chosen, in_file), color, _FLOATS[element], dims[0] or 0)


def resolve_preprocessing(sheet: Sheet, channels: int) -> Preprocessing:
    """Return the declared or stored preprocessing, or the ImageNet convention where nothing at all is said.

    A partial declaration means what it says: what it leaves out does nothing (scale 1, mean 0, std 1).

    Raises
    ------
    ModelError
        If mean or std have another length than the input has channels.
    """
    scale, mean, std = (sheet.take(f"preprocess.{key}") for key in ("scale", "mean", "std"))
    if scale is None and mean is None and std is None:
        for key in ("scale", "mean", "std"):
            sheet.sources[f"preprocess.{key}"] = "convention"
        sheet.notices.append(
            "preprocessing not declared: ImageNet convention assumed (RGB in 0..1, mean .485 .456 .406)"
        )
        return Preprocessing(CONVENTION.scale, CONVENTION.mean[:channels], CONVENTION.std[:channels])
    found = Preprocessing(
        1.0 if scale is None else float(scale),
        (0.0,) * channels if mean is None else tuple(mean),
        (1.0,) * channels if std is None else tuple(std),
    )
    if sheet.sources.get("input.color") == "convention":
        sheet.notices.append("channel order not declared: RGB assumed")
    for key, values in (("mean", found.mean), ("std", found.std)):
        if len(values) != channels:
            raise sheet.error(f"preprocess.{key} must have {channels} numbers, got {len(values)}")
    return found


def _choose(sheet: Sheet, model: ModelProto) -> ValueInfoProto:
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in stored]
    listing = ", ".join(describe(value) for value in inputs) or "none"
    name = sheet.take("input.name")
    if name is not None and all(value.name != name for value in inputs):
        raise sheet.error(f"has no input {name!r}; its inputs: {listing}")
    if len(inputs) != 1:
        raise sheet.error(
            f"expected one input, the picture, got {len(inputs)}: {listing}; export the model with the others fixed"
        )
    if len(dims_of(inputs[0])) != 4:
        raise sheet.error(f"input {listing} is no batch of pictures; expected (N, 3, H, W) or (N, H, W, 3)")
    chosen: ValueInfoProto = inputs[0]
    return chosen


def _layout(sheet: Sheet, value: ValueInfoProto, dims: list[int | None]) -> tuple[Layout, int | None]:
    """Return the order of the axes, and the number of channels where the file says it."""
    first, last = dims[1] in (1, 3), dims[3] in (1, 3)
    declared: Layout | None = sheet.take("input.layout")
    layout: Layout = declared or ("NCHW" if first else "NHWC")
    if declared is None:
        if not (first or last or dims[1] is None or dims[3] is None):
            raise sheet.error(
                f"input {describe(value)} has no axis of 3 channels (or 1, grey); expected colour pictures"
            )
        if first == last:
            raise sheet.error(
                f"cannot tell whether input {describe(value)} is NCHW or NHWC; declare input.layout in committee.yaml"
            )
        sheet.settle("input.layout", layout, "file")
    channels = dims[1] if layout == "NCHW" else dims[3]
    if channels not in (1, 3, None):
        raise sheet.error(f"input.layout is {layout}, but input {describe(value)} then has {channels} channels, not 3")
    return layout, channels


def _size(sheet: Sheet, value: ValueInfoProto, in_file: tuple[int | None, int | None]) -> tuple[int, int]:
    declared: tuple[int, int] | None = sheet.take("input.size")
    if declared is not None:
        if any(stored not in (None, wanted) for stored, wanted in zip(in_file, declared, strict=True)):
            raise sheet.error(f"input.size is {list(declared)}, but the file's input is {describe(value)}")
        return int(declared[0]), int(declared[1])
    height, width = in_file
    if height is None or width is None:
        sheet.notices.append("input size neither declared nor in the file: 224x224 assumed")
        return sheet.settle("input.size", CONVENTION_SIZE, "convention")
    return sheet.settle("input.size", (height, width), "file")
