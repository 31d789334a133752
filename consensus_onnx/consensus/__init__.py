"""What the members agree on, and how near each of them comes to it: arrays in, frozen results out."""

from consensus_onnx.consensus.grid import common_grid, to_grid
from consensus_onnx.consensus.scoring import (
    ImageAgreement,
    compare,
    log_scores,
    member_scores,
    resolve_sigma,
    to_scores,
)
from consensus_onnx.consensus.settings import PIXEL_CONSENSUS, SUPERPIXEL_CONSENSUS, ConsensusSettings
from consensus_onnx.consensus.similarities import log_similarity, similarity
from consensus_onnx.consensus.voting import vote
from consensus_onnx.consensus.weighting import family_weights

__all__ = [
    "PIXEL_CONSENSUS",
    "SUPERPIXEL_CONSENSUS",
    "ConsensusSettings",
    "ImageAgreement",
    "common_grid",
    "compare",
    "family_weights",
    "log_scores",
    "log_similarity",
    "member_scores",
    "resolve_sigma",
    "similarity",
    "to_grid",
    "to_scores",
    "vote",
]
