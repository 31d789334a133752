"""Pictures of known class and known object mask, drawn from seeds: the same bytes on every machine."""

from consensus_onnx_zoo.scenes.folder import write_scenes
from consensus_onnx_zoo.scenes.outlines import CLASSES
from consensus_onnx_zoo.scenes.scene import Scene, SceneObject, draw_scene
from consensus_onnx_zoo.scenes.settings import SHORTCUT, SIDE, Mark, SceneSettings
from consensus_onnx_zoo.scenes.splits import SPLITS

__all__ = [
    "CLASSES",
    "SHORTCUT",
    "SIDE",
    "SPLITS",
    "Mark",
    "Scene",
    "SceneObject",
    "SceneSettings",
    "draw_scene",
    "write_scenes",
]
