"""PyTorch's eager gradient of a timm architecture by its input, once for every line read; answers with the seconds.

python tests/benchmarks/torch_gradient.py ARCHITECTURE BATCH THREADS      (gradient_ratios.py starts it)
"""

from __future__ import annotations

import sys
import time

import timm
import torch

name, batch, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
model = timm.create_model(name, pretrained=False).eval().requires_grad_(False)
x = torch.randn(batch, *model.pretrained_cfg["input_size"], requires_grad=True)
weights = torch.randn(batch, 1000)
for _ in sys.stdin:
    start = time.perf_counter()
    torch.autograd.grad((model(x) * weights).sum(), x)
    sys.stdout.write(f"seconds {time.perf_counter() - start}\n")
    sys.stdout.flush()
