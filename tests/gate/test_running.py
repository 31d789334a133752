"""The gate on real workers: the unchanged passes to the last bit, the changed fails, the broken never passes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from consensus_onnx.config import build_settings
from consensus_onnx.errors import BaselineError, ConfigError, ImageError, ModelError
from consensus_onnx.gate.filing import write_baseline
from consensus_onnx.gate.freezing import FreezeOptions, freeze
from consensus_onnx.gate.request import GateRequest
from consensus_onnx.gate.results import CandidateResult, Check
from consensus_onnx.gate.running import gate
from consensus_onnx.gate.settings import ByExplainer, GateFile, GateSettings
from gated import IMAGES, Gated
from worlds import COMPACT


def only(gated: Gated, candidate: Path, **request: object) -> CandidateResult:
    return gate([candidate], gated.file, GateRequest(**request)).candidates[0]  # type: ignore[arg-type]


def check_of(result: CandidateResult, name: str) -> Check:
    return next(check for check in result.checks if check.name == name)


def test_an_unchanged_model_passes_without_the_least_difference(gated: Gated, tmp_path: Path) -> None:
    result = only(gated, gated.copy_of("plain", tmp_path), reference="plain")
    assert result.verdict == "passed"
    assert "inherited from plain" in result.preprocessing
    assert result.digest == gated.baseline.members[0].digest
    for name in ("max_score_drop.lime", "max_score_drop.smoothgrad", "max_accuracy_drop", "max_mask_ap_drop.lime"):
        found = check_of(result, name)
        assert (found.measured, found.low, found.high, found.images) == (0.0, 0.0, 0.0, IMAGES)
    for name in ("lime", "smoothgrad"):
        assert check_of(result, f"min_similarity_to_reference.{name}").measured == 1.0
    assert result.agreement == 1.0
    assert result.accuracy == result.reference_accuracy == gated.run.members[0].accuracy_measured


def test_an_unchanged_model_is_the_reference_where_maps_are_kept_small(gated: Gated, tmp_path: Path) -> None:
    settings = replace(COMPACT, explainers=("smoothgrad",))
    run, _ = gated.world.audit(tmp_path / "run", settings=settings, limit=3)
    write_baseline(tmp_path / "small.zip", freeze(run))
    candidate = gated.copy_of("plain", tmp_path / "new")
    (result,) = gate([candidate], tmp_path / "small.zip", GateRequest(reference="plain")).candidates
    assert result.verdict == "passed"
    assert check_of(result, "max_score_drop.smoothgrad").measured == 0.0
    assert check_of(result, "min_similarity_to_reference.smoothgrad").measured == 1.0


def test_another_model_fails_beside_one_that_is_the_reference_itself(gated: Gated, tmp_path: Path) -> None:
    reference = gated.copy_of("plain", tmp_path / "reference")
    other = gated.world.models / "depthwise.onnx"
    settings = GateFile(GateSettings(min_prediction_agreement=None))
    result = gate(
        [other, gated.world.models / "plain.onnx"],
        gated.file,
        GateRequest(reference=str(gated.world.models / "plain.onnx"), explainers=("lime",), settings=settings),
    )
    failing, passing = result.candidates
    assert (result.verdict, failing.verdict, passing.verdict) == ("failed", "failed", "passed")
    assert check_of(failing, "min_similarity_to_reference.lime").status == "failed"
    assert failing.preprocessing.endswith("declared in the committee.yaml beside it")
    assert failing.worst[0].similarity <= failing.worst[-1].similarity
    assert failing.targets == "the reference's prediction"
    assert {drift.target for drift in failing.worst} <= {drift.reference_predicted for drift in failing.worst}
    assert reference.exists()
    assert all(check.condition != "min_prediction_agreement" for check in failing.checks)


def test_without_a_reference_it_is_placed_among_the_members(gated: Gated) -> None:
    result = only(gated, gated.world.models / "depthwise.onnx", explainers=("lime",))
    (found,) = result.checks
    assert found.condition == "min_score_percentile"
    assert result.targets == "its own prediction"
    assert result.standings[0].members == 2
    scores = gated.run.scores("lime")[1]
    assert result.standings[0].score == pytest.approx(scores.mean())
    with pytest.raises(ConfigError, match="nothing would be judged: without --reference only"):
        only(gated, gated.world.models / "plain.onnx", settings=GateFile(GateSettings(min_score_percentile=None)))


def test_pictures_by_reference_must_be_the_ones_that_were_frozen(gated: Gated, tmp_path: Path) -> None:
    file = tmp_path / "reference.zip"
    write_baseline(file, freeze(gated.run, FreezeOptions(explainers=("lime",), by_reference=True)))
    candidate = gated.copy_of("plain", tmp_path / "candidate")

    def run(images: Path | None) -> str:
        request = GateRequest(reference="plain", images=images)
        return gate([candidate], file, request).verdict

    assert run(gated.world.pictures) == "passed"
    with pytest.raises(ConfigError, match="give their folder with --images"):
        run(None)
    with pytest.raises(ImageError, match=rf"{IMAGES} of the baseline's {IMAGES} pictures are missing, the first: "):
        run(tmp_path)
    names = [image.name for image in gated.baseline.images]
    swapped = tmp_path / "swapped"
    swapped.mkdir()
    for name, source in zip(names, [names[1], names[0], *names[2:]], strict=True):
        (swapped / name).write_bytes((gated.world.pictures / source).read_bytes())
    with pytest.raises(BaselineError, match="is another file than the one that was frozen"):
        run(swapped)


def test_a_candidate_that_cannot_be_explained_is_broken_with_a_reason(gated: Gated, tmp_path: Path) -> None:
    noise = tmp_path / "noise.onnx"
    noise.write_bytes(b"\xff" * 100)
    model = onnx.load(gated.world.models / "plain.onnx")
    fewer = tmp_path / "fewer.onnx"
    last = model.graph.output[0].name
    weights = onnx.helper.make_node("Gather", [last, "kept"], ["fewer"], axis=1)
    model.graph.node.append(weights)
    model.graph.initializer.append(numpy_helper.from_array(np.arange(7), "kept"))
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info("fewer", onnx.TensorProto.FLOAT, None))
    onnx.save(model, fewer)
    result = gate([noise, fewer], gated.file, GateRequest(reference="plain", explainers=("lime",)))
    assert result.verdict == "broken"
    assert [one.verdict for one in result.candidates] == ["broken", "broken"]
    assert "is not an ONNX file" in result.candidates[0].reason
    assert "has 7 outputs" in result.candidates[1].reason
    assert not any(one.checks for one in result.candidates)
    with pytest.raises(ModelError, match=r"--reference .*noise.onnx: cannot be explained: rejected: "):
        only(gated, gated.world.models / "plain.onnx", reference=str(noise), explainers=("lime",))


def test_what_could_not_be_judged_is_no_pass(gated: Gated, tmp_path: Path) -> None:
    """An explainer the candidate cannot serve, and a reference whose explanations were not kept."""
    file = tmp_path / "unkept.zip"
    write_baseline(file, freeze(gated.run, FreezeOptions(explainers=("lime",), keep=("depthwise",))))
    candidate = gated.copy_of("plain", tmp_path / "candidate")
    found = gate([candidate], file, GateRequest(reference="plain")).candidates[0]
    assert found.verdict == "incomplete"
    assert check_of(found, "min_similarity_to_reference.lime").status == "unjudged"
    assert any("freeze with --keep plain" in notice for notice in found.notices)
    assert check_of(found, "max_score_drop.lime").measured == pytest.approx(0.0, abs=1e-9)


def test_preprocessing_is_declared_before_it_is_inherited(gated: Gated, tmp_path: Path) -> None:
    declared = tmp_path / "bgr.yaml"
    declared.write_text(
        "input: {color: BGR}\npreprocess: {scale: 1.0, mean: [127.5, 127.5, 127.5], std: [63.75, 63.75, 63.75]}\n",
        encoding="utf-8",
    )
    candidate = gated.copy_of("plain", tmp_path / "candidate")
    result = only(gated, candidate, reference="plain", preprocessing=declared, explainers=("lime",))
    assert f"color: declared in {declared}" in result.preprocessing.replace("scale, mean, std, color", "color")
    assert check_of(result, "min_similarity_to_reference.lime").measured < 1.0


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("plian", "neither a file nor a member of the baseline; did you mean 'plain'"),
        ("gone.onnx", "gone.onnx: no such file"),
    ],
)
def test_a_reference_that_is_not_there_is_named(gated: Gated, reference: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        only(gated, gated.world.models / "plain.onnx", reference=reference)


def test_candidates_that_are_not_files_are_named(gated: Gated, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a folder; name the \.onnx file"):
        only(gated, tmp_path, reference="plain")
    with pytest.raises(ConfigError, match=r"no such file; give the candidate's \.onnx file"):
        only(gated, tmp_path / "gone.onnx", reference="plain")
    with pytest.raises(ConfigError, match="the baseline has no 'smothgrad'; did you mean 'smoothgrad'"):
        only(gated, gated.world.models / "plain.onnx", reference="plain", explainers=("smothgrad",))


def test_limits_hold_for_both_explainers_or_each_its_own() -> None:
    assert GateSettings(max_score_drop=0.1).limit("max_score_drop", "lime") == 0.1
    own = build_settings(GateSettings, {"max_score_drop": {"lime": 0.2}}, source="gate.yaml")
    assert own.max_score_drop == ByExplainer(lime=0.2)
    assert own.limit("max_score_drop", "smoothgrad") is None
    assert replace(own, max_score_drop=None).limit("max_score_drop", "lime") is None
    with pytest.raises(ConfigError, match=r"unknown key 'max_score_dorp'; did you mean 'max_score_drop'"):
        build_settings(GateSettings, {"max_score_dorp": 1}, source="gate.yaml")
