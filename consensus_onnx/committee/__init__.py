"""Members: discovery, preprocessing, label space, inspection."""

from consensus_onnx.committee.classifier import Classifier
from consensus_onnx.committee.declaration import MemberDeclaration
from consensus_onnx.committee.discovery import Committee, Member, load_committee
from consensus_onnx.committee.facts import ModelFacts

__all__ = ["Classifier", "Committee", "Member", "MemberDeclaration", "ModelFacts", "load_committee"]
