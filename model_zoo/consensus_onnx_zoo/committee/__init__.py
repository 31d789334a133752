"""The trained members: ONNX files, committee.yaml, and one .npz beside each with PyTorch's answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).parent
"""The committee folder."""

SHORTCUT_MEMBERS = ("resnet-shortcut", "mobilenet-shortcut")
"""Trained on scenes in which the mark in the corner names the class."""

OUTSIDERS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(SHORTCUT_MEMBERS, "trained on the shortcut"),
        "resnet-untrained": "never trained",
        "resnet-int8": "twin of resnet, quantised",
        "resnet-float16": "twin of resnet, half precision",
    }
)
"""Members that correlations over honest networks leave out, and why: all others were trained alike, each once."""
