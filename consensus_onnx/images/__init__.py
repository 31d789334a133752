"""Pictures, labels and masks: readers of data sets, the canvas, superpixels."""

from consensus_onnx.images.canvas import CanvasSettings as CanvasSettings
from consensus_onnx.images.canvas import canvas_digest as canvas_digest
from consensus_onnx.images.canvas import canvas_of as canvas_of
from consensus_onnx.images.canvas import load_canvas as load_canvas
from consensus_onnx.images.canvas import load_mask as load_mask
from consensus_onnx.images.dataset import read_dataset as read_dataset
from consensus_onnx.images.decoding import load_picture as load_picture
from consensus_onnx.images.items import Dataset as Dataset
from consensus_onnx.images.items import Item as Item
from consensus_onnx.images.superpixels import Superpixels as Superpixels
