"""What pytest leaves alone here: PyTorch's side of the zoo, which no test imports."""

collect_ignore = ["consensus_onnx_zoo/networks", "consensus_onnx_zoo/training", "consensus_onnx_zoo/train.py"]
