"""Cross-model consensus of explanations for folders of ONNX classifiers.

Ask every classifier of a committee what it looks at, vote the explanations into a consensus, score each member by
its similarity to it: with exported models, ONNX Runtime, and no training framework.

>>> import consensus_onnx as co
>>> co.Lime(samples=200).samples
200

The public names stand in ``__init__.pyi`` and are imported on first use, so that ``import consensus_onnx`` and the
command line's ``--help`` stay quick.
"""

import os

import lazy_loader

# Before anything can import ONNX Runtime: its wheels send usage data unless this is set (see runtime.telemetry).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
