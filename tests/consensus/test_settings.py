from typing import get_args

import pytest

from consensus_onnx.config import build_settings
from consensus_onnx.consensus import PIXEL_CONSENSUS, SUPERPIXEL_CONSENSUS, ConsensusSettings
from consensus_onnx.consensus.settings import Vote
from consensus_onnx.consensus.voting import VOTES


def test_defaults_are_the_papers():
    assert (SUPERPIXEL_CONSENSUS.vote, SUPERPIXEL_CONSENSUS.similarity) == ("lime_paper", "cosine")
    assert (PIXEL_CONSENSUS.vote, PIXEL_CONSENSUS.similarity) == ("minmax_mean", "rbf")
    assert PIXEL_CONSENSUS.sigma == "median"


def test_names_of_votes_are_those_of_the_registry():
    assert set(get_args(Vote)) == set(VOTES)


@pytest.mark.parametrize("name", ConsensusSettings.PRESETS)
def test_presets_can_be_built(name):
    settings = build_settings(ConsensusSettings, {"preset": name}, source="audit.yaml")
    expected = {"superpixels": SUPERPIXEL_CONSENSUS, "pixels": PIXEL_CONSENSUS}
    assert settings == expected.get(name, settings)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"vote": "lime_papr"}, "ConsensusSettings.vote"),
        ({"sigma": 0}, "ConsensusSettings.sigma"),
        ({"sigma": "mean"}, "ConsensusSettings.sigma"),
        ({"form": "abs"}, "ConsensusSettings.form"),
        ({"similarity": "rbf"}, "must be minmax_mean or median with similarity rbf.*got 'lime_paper'"),
    ],
)
def test_wrong_settings_are_named(wrong, text):
    with pytest.raises(ValueError, match=text):
        ConsensusSettings(**wrong)
