"""Settings: frozen dataclasses that carry their documentation and limits, and the only reader of YAML."""

from consensus_onnx.config.build import build_settings as build_settings
from consensus_onnx.config.overrides import override as override
from consensus_onnx.config.reading import Document as Document
from consensus_onnx.config.reading import read_yaml as read_yaml
from consensus_onnx.config.settings import check_settings as check_settings
from consensus_onnx.config.settings import required as required
from consensus_onnx.config.settings import setting as setting
from consensus_onnx.config.writing import document_yaml as document_yaml
from consensus_onnx.config.writing import to_mapping as to_mapping
from consensus_onnx.config.writing import yaml_text as yaml_text
