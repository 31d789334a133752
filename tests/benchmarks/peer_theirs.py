"""The tools of peer_comparison.py that run in the peers' Python: lime, dianna, captum, and bare PyTorch.

All read the same canvas, superpixels, fill colours and normalisation as ours.
"""

from __future__ import annotations

import importlib.util
import sys
import types
import warnings
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from typing import Any

import numpy as np
from peer_process import serve


def main() -> None:
    """Answer peer_comparison.py."""
    warnings.filterwarnings("ignore")
    if importlib.util.find_spec("torchvision") is None:
        sys.meta_path.insert(0, NoTorchvision())
    packages = ("lime", "dianna", "captum", "torch", "timm", "onnxruntime", "numpy", "scikit-learn", "scikit-image")
    tools = {
        "lime": LimePackage,
        "lime, best batch": LimePackageBest,
        "dianna": Dianna,
        "captum, lime": CaptumLime,
        "captum, lime as ours": CaptumLimeAsOurs,
        "captum, smoothgrad": CaptumSmoothGrad,
        "pytorch": BareTorch,
    }
    serve(tools, packages)


class NoTorchvision:
    """Imports a torchvision that is empty: timm names it while it is imported and never uses it for a plain network."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.split(".")[0] == "torchvision" else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        class Empty(types.ModuleType):
            def __getattr__(self, name: str) -> Any:
                if name.startswith("__"):
                    raise AttributeError(name)
                modes = ("BILINEAR", "BICUBIC", "NEAREST", "LANCZOS", "BOX", "HAMMING")
                return type(name, (), {mode: mode for mode in modes})

        return Empty(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__version__ = "0"  # type: ignore[attr-defined]


class _Peer:
    """The picture that all are asked about."""

    batches: Sequence[int] = ()
    batch = 1

    def __init__(self, job: Mapping[str, Any]) -> None:
        self.job = job
        self.canvas, self.segments = np.load(job["canvas"]), np.load(job["segments"]).astype(int)
        std = np.array(job["std"], np.float32)
        self.scale = (1 / (255 * std)).reshape(3, 1, 1)
        self.shift = (-np.array(job["mean"], np.float32) / std).reshape(3, 1, 1)
        self.target = job["target"]

    def read(self, pictures: Any) -> Any:
        """Turn pictures (N, H, W, 3) in 0..255 into the network's input, in as few steps as there are."""
        batch = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), dtype=np.float32)
        batch *= self.scale
        batch += self.shift
        return batch

    def logits(self, batch: Any) -> Any:
        raise NotImplementedError

    def clean(self) -> tuple[float, int]:
        logits = self.logits(self.read(self.canvas[np.newaxis]))[0]
        return float(logits[self.target]), int(logits.argmax())


class _OnnxRuntime(_Peer):
    """A session with the options that consensus_onnx.runtime sets."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        import onnxruntime

        super().__init__(job)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = job["threads"], 1
        options.enable_mem_pattern = False
        self.session = onnxruntime.InferenceSession(job["model"], options, providers=["CPUExecutionProvider"])
        self.name = self.session.get_inputs()[0].name

    def logits(self, batch: Any) -> Any:
        return self.session.run(None, {self.name: batch})[0]

    def probabilities(self, pictures: Any) -> Any:
        rows = self.logits(self.read(pictures))
        rows = np.exp(rows - rows.max(axis=1, keepdims=True))
        return rows / rows.sum(axis=1, keepdims=True)


class LimePackage(_OnnxRuntime):
    """The lime package with its default batch, for one label instead of its five."""

    batch = 10

    def explain(self, seed: int, samples: int) -> Any:
        from lime.lime_image import LimeImageExplainer

        explanation = LimeImageExplainer(random_state=seed).explain_instance(
            self.canvas,
            self.probabilities,
            labels=(self.target,),
            top_labels=None,
            num_samples=samples,
            batch_size=self.batch,
            segmentation_fn=lambda picture: self.segments,
        )
        weights = np.zeros(self.segments.max() + 1)
        for superpixel, weight in explanation.local_exp[self.target]:
            weights[superpixel] = weight
        return weights


class LimePackageBest(LimePackage):
    batches = (1, 2, 4, 8, 10, 16)


class Dianna(_OnnxRuntime):
    """dianna over the path of a model, with its defaults: it explains what the model answers with, logits.

    Its result is a mask of ten superpixels, -1, 0 and 1, which is compared with nothing.
    """

    def __init__(self, job: Mapping[str, Any]) -> None:
        super().__init__(job)
        self.before = self.logits(self.read(self.canvas[np.newaxis]))[0]
        del self.session  # dianna opens its own, and their memory is to be its own

    def clean(self) -> tuple[float, int]:
        return float(self.before[self.target]), int(self.before.argmax())

    def explain(self, seed: int, samples: int) -> Any:
        from dianna.methods.lime_image import LIMEImage

        explainer = LIMEImage(random_state=seed, preprocess_function=self.read_moved)
        explainer.explain(
            self.job["model"],
            self.canvas,
            (self.target,),
            num_samples=samples,
            segmentation_fn=lambda picture: self.segments,
        )
        return ()

    def read_moved(self, pictures: Any) -> Any:
        return self.read(pictures)


class _Torch(_Peer):
    """The network in eager PyTorch, with the weights that tests/references/timm_export.py exported."""

    batches: Sequence[int] = (1, 4, 8)

    def __init__(self, job: Mapping[str, Any]) -> None:
        import timm
        import torch

        super().__init__(job)
        torch.set_num_threads(job["threads"])
        torch.manual_seed(0)
        model = timm.create_model(job["network"], pretrained=False, exportable=True)
        self.torch, self.model = torch, model.eval().requires_grad_(False)
        self.x = torch.from_numpy(self.read(self.canvas[np.newaxis]))

    def logits(self, batch: Any) -> Any:
        with self.torch.inference_mode():
            return self.model(self.torch.from_numpy(batch)).numpy()


class CaptumLime(_Torch):
    """captum's Lime as it comes: Lasso, a kernel on the cosine of the pictures, one row a pass, logits.

    Only the fill is ours: without baselines masked superpixels show zeros.
    """

    batches = ()

    def __init__(self, job: Mapping[str, Any]) -> None:
        super().__init__(job)
        filled = self.canvas.copy()
        for superpixel in range(self.segments.max() + 1):
            inside = self.segments == superpixel
            filled[inside] = self.canvas[inside].mean(axis=0)  # uint8: truncated, as the others do
        self.fill = self.torch.from_numpy(self.read(filled[np.newaxis]))
        self.superpixels = self.torch.from_numpy(self.segments)[None, None]

    def explain(self, seed: int, samples: int) -> Any:
        from captum.attr import Lime

        self.torch.manual_seed(seed)
        given = {"baselines": self.fill, "feature_mask": self.superpixels, "n_samples": samples}
        Lime(self.model).attribute(self.x, target=self.target, **given)
        return ()


class CaptumLimeAsOurs(CaptumLime):
    """captum's Lime told to do the same: probabilities, LIME's own kernel, weighted least squares, best batch."""

    batches = (1, 4, 8)

    def explain(self, seed: int, samples: int) -> Any:
        from captum._utils.models.linear_model import SkLearnLinearRegression
        from captum.attr import Lime

        def probability(x: Any) -> Any:
            return self.model(x).softmax(1)[:, self.target]

        def kernel(picture: Any, perturbed: Any, row: Any, **_: Any) -> float:
            distance = 1 - row.float().mean().sqrt().item()
            return float(np.sqrt(np.exp(-(distance**2) / 0.25**2)))

        self.torch.manual_seed(seed)
        lime = Lime(probability, interpretable_model=SkLearnLinearRegression(), similarity_func=kernel)
        given = {"baselines": self.fill, "feature_mask": self.superpixels, "n_samples": samples}
        weights = lime.attribute(self.x, perturbations_per_eval=self.batch, return_input_shape=False, **given)
        return weights.numpy().ravel()


class CaptumSmoothGrad(_Torch):
    """NoiseTunnel over Saliency, told to average signed gradients (it takes their absolute values by default)."""

    def explain(self, seed: int, samples: int) -> Any:
        from captum.attr import NoiseTunnel, Saliency

        self.torch.manual_seed(seed)
        given = {"nt_type": "smoothgrad", "nt_samples": samples, "nt_samples_batch_size": self.batch}
        deviation = 0.1 * float(self.x.max() - self.x.min())
        tunnel = NoiseTunnel(Saliency(self.model))
        mean = tunnel.attribute(self.x, stdevs=deviation, target=self.target, abs=False, **given)
        return mean.abs().sum(1)[0].numpy()


class BareTorch(_Torch):
    """Forward passes of as many pictures in eager PyTorch, and nothing else."""

    batches = (1, 2, 4, 8, 16, 32)

    def __init__(self, job: Mapping[str, Any]) -> None:
        super().__init__(job)
        self.full = self.x.repeat(max(self.batches), 1, 1, 1)

    def explain(self, seed: int, samples: int) -> Any:
        with self.torch.inference_mode():
            for start in range(0, samples, self.batch):
                self.model(self.full[: min(self.batch, samples - start)])
        return ()


if __name__ == "__main__":
    main()
