"""The trained members: ONNX files, committee.yaml, and one .npz beside each with PyTorch's answers."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
"""The committee folder."""
