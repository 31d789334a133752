import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import consensus_onnx_kernels
from consensus_onnx_kernels.compilation import serial

ROOT = Path(consensus_onnx_kernels.__file__).parent
MODULES = sorted(path for path in ROOT.glob("*.py") if path.stem not in {"__init__", "compilation"})


def uncompiled_loops(source):
    """Names of functions that loop but are not compiled by one of our two decorators."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef) and any(isinstance(node, ast.For) for node in ast.walk(function)):
            decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
            if decorators not in (["serial"], ["parallel"]):
                found.append(function.name)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_loop_is_compiled_our_way(path):
    assert uncompiled_loops(path.read_text()) == []


def test_the_lint_can_fail():
    assert uncompiled_loops("@numba.njit\ndef f(x):\n    for i in x:\n        pass\n") == ["f"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_kernels_import_nothing_of_ours(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.module.split(".")[0] != "consensus_onnx", path


def test_importing_the_package_does_not_import_numba():
    code = "import sys, consensus_onnx_kernels; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_warming_up_leaves_no_kernel_of_the_cpu_uncompiled():
    code = """
import importlib, sys
from consensus_onnx_kernels.warming import compile_kernels
compile_kernels()
cold = [
    f"{name}.{key}"
    for name in sys.argv[1:]
    for key, kernel in vars(importlib.import_module(f"consensus_onnx_kernels.{name}")).items()
    if hasattr(kernel, "signatures") and not kernel.signatures and (key[0] != "_" or key.endswith("_serial"))
]
print(cold)
"""
    command = [sys.executable, "-c", code, *(path.stem for path in MODULES)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_compiles_without_a_writable_cache(monkeypatch):
    """As on a read-only file system without a home: Numba finds no place for its cache and refuses `cache=True`."""
    caching = pytest.importorskip("numba.core.caching")
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])

    def double(values):
        out = np.empty_like(values)
        for i in range(values.size):
            out[i] = 2 * values[i]
        return out

    assert np.array_equal(serial(double)(np.arange(3.0)), [0.0, 2.0, 4.0])


def test_a_forked_process_may_compile_after_its_threads_have_started():
    """Its environment then names another number of threads than Numba read when it was imported."""
    code = """
import os
os.environ["NUMBA_NUM_THREADS"] = "2"
import numba
import numpy as np
from consensus_onnx_kernels.compilation import use_threads
os.environ["NUMBA_NUM_THREADS"] = "1"
use_threads(1)
numba.njit(parallel=True)(lambda x: x + 1)(np.ones(3))
print(numba.njit(lambda x: 2 * x)(np.float16(2).astype(np.float32)), numba.get_num_threads())
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["4.0", "1"]
