"""Write the gradient graph of a classifier of more than 2 GB, and tell seconds and memory.

    python tests/benchmarks/large_gradient.py FOLDER

makes FOLDER/model.onnx (a convolution and four dense layers of random weights, 2.45 GB of them in a file beside it),
runs `consensus-onnx gradient` on it, and takes one picture through both models. FOLDER needs 6 GB and is not emptied.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, parser, save

from consensus_onnx.runtime import RuntimeSettings, open_session

GRAPH = """
<ir_version: 8, opset_import: ["" : 17]>
large (float[N, 3, 64, 64] image) => (float[N, 1000] logits) {
    c = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (image, kernel)
    r = Relu (c)
    f = Flatten (r)
    a = Gemm <transB = 1> (f, first)
    b = Relu (a)
    d = Gemm <transB = 1> (b, second)
    e = Relu (d)
    g = MatMul (e, third)
    h = Relu (g)
    logits = Gemm (h, fourth)
}
"""
SHAPES = {
    "kernel": (12, 3, 3, 3),
    "first": (16384, 12288),
    "second": (16384, 16384),
    "third": (16384, 8192),
    "fourth": (8192, 1000),
}
COMMAND = "from consensus_onnx.cli import main; main()"


def write_model(path: Path) -> int:
    """Write the model, its weights beside it, and return their bytes."""
    model: ModelProto = parser.parse_model(GRAPH)
    rng = np.random.default_rng(0)
    place = 0
    with path.with_suffix(".weights").open("wb") as file:
        for name, shape in SHAPES.items():
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
            tensor.data_location = TensorProto.EXTERNAL
            fan_in = int(np.prod(shape[1:]))
            size = 4 * shape[0] * fan_in
            for key, value in (("location", f"{path.stem}.weights"), ("offset", place), ("length", size)):
                tensor.external_data.add(key=key, value=str(value))
            for _ in range(shape[0]):
                row = rng.standard_normal(fan_in, dtype=np.float32) * np.float32((2 / fan_in) ** 0.5)
                file.write(row.tobytes())
            place += size
            model.graph.initializer.append(tensor)
    save(model, path)
    return place


def memory_below(pid: int) -> int:
    """Return the bytes resident in a process and everything it started, by Linux's /proc."""
    parents, sizes = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(fields[1])
            sizes[int(folder.name)] = int(fields[21]) * resource.getpagesize()
        except OSError:  # it ended
            continue
    total = 0
    for found, size in sizes.items():
        above = found
        while above not in (0, pid):
            above = parents.get(above, 0)
        total += size if above == pid else 0
    return total


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    model, gradient = folder / "model.onnx", folder / "gradient.onnx"
    size = write_model(model)
    start = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "gradient", str(model), "-o", str(gradient), *sys.argv[2:]]
    )
    peak = 0
    while child.poll() is None:
        peak = max(peak, memory_below(child.pid))
        time.sleep(0.1)
    seconds = time.perf_counter() - start
    if child.returncode:
        sys.exit(child.returncode)
    written = sum(path.stat().st_size for path in folder.glob("gradient.onnx*"))
    sys.stdout.write(
        f"{size / 1e9:.2f} GB became {written / 1e9:.2f} GB in {seconds:.0f} s, {peak / 1e9:.1f} GB of memory\n"
    )
    feeds = {"image": np.random.default_rng(1).standard_normal((1, 3, 64, 64)).astype(np.float32)}
    (expected,) = open_session(model, RuntimeSettings(threads=2)).run(["logits"], feeds)
    feeds["grad/seed"] = np.eye(1000, dtype=np.float32)[[281]]
    session = open_session(gradient, RuntimeSettings(threads=2))
    logits, slope = session.run(["logits", "grad/image"], feeds)
    assert np.array_equal(logits, expected)
    # Along a direction near the gradient's own, a small step.
    step = 1e-3 * slope / np.linalg.norm(slope)
    ends = [session.run(["logits"], {**feeds, "image": feeds["image"] + sign * step})[0][0, 281] for sign in (1, -1)]
    differences, found = (float(ends[0]) - float(ends[1])) / 2, float((slope * step).sum())
    sys.stdout.write(f"along the gradient: differences {differences:.6g}, gradient {found:.6g}\n")


if __name__ == "__main__":
    main()
