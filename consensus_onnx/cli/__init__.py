"""The command line: translates between people and the package, decides nothing itself."""

from consensus_onnx.cli.app import main as main
