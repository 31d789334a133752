from __future__ import annotations

from dataclasses import replace

from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.section import ReportOptions
from consensus_onnx.report.sections import caveats


def told(run) -> dict[str, str]:
    section = caveats.build(Experiments(run), ReportOptions())
    return {} if section is None else {caveat.title: caveat.text for caveat in section.content.caveats}


def test_a_small_run_is_called_small(run):
    found = told(run)
    assert "Scores are means over 4 images" in found["Few images"]
    assert "intervals reach" in found["Few images"] or "interval reaches" in found["Few images"]
    assert "1/6 of the consensus" in found["Few members"]


def test_single_image_and_single_member(make_run, fakes):
    found = told(make_run(fakes[:1], images=1))
    assert "A score from a single image" in found["One image"]
    assert "that member" in found["No committee"]


def test_rbf_is_suspected_of_brightness_with_a_number(run):
    found = told(run)
    text = found["SmoothGrad scores may reflect brightness"]
    assert "correlate at r = " in text
    assert "not agreement about place alone" not in text  # five members do not show it
    assert "LIME scores may reflect brightness" not in found


def test_rbf_is_convicted_by_enough_members(make_run, fakes):
    # A power below 1 brightens a map and leaves the order of its pixels as it is.
    powers = (1, 1, 1, 1, 1, 1, 1, 0.6, 0.5, 0.4, 0.35, 0.3, 0.25)
    members = [replace(fakes[0], name=f"m{i}", skill=0.7, power=power) for i, power in enumerate(powers)]
    text = told(make_run(members, explainers=["smoothgrad"]))["SmoothGrad scores may reflect brightness"]
    assert text.endswith("So the score is not agreement about place alone.")


def test_unreliable_explanations_are_named(run, make_run, fakes):
    assert "correlate at 0.7" in told(run)["LIME repeats poorly"]
    sure = [replace(fake, skill=0.9) for fake in fakes[:5]]
    assert "LIME repeats poorly" not in told(make_run(sure, explainers=["lime"]))


def test_largest_family_is_named(run, make_run, fakes):
    assert "3 of 5 members are Net" in told(run)["Relatives vote alike"]
    strangers = [replace(fake, family=fake.name) for fake in fakes]
    assert "Relatives vote alike" not in told(make_run(strangers, explainers=["lime"]))


def test_assumed_preprocessing_is_named(make_run, fakes):
    sources = {"preprocess.scale": "declared", "preprocess.mean": "convention"}
    members = [fakes[0], replace(fakes[1], sources=sources)]
    text = told(make_run(members, explainers=["lime"]))["Assumed preprocessing"]
    assert "For beta the usual ImageNet preprocessing" in text


def test_accuracy_from_few_labels_is_called_coarse(run, make_run, fakes):
    bare = [replace(fake, accuracy=None) for fake in fakes[:3]]
    assert "±35 points" in told(make_run(bare, explainers=["lime"]))["Coarse accuracies"]
    assert "Coarse accuracies" not in told(run)


def test_enough_images_of_enough_strangers_leave_nothing_to_warn_of(make_run, fakes, monkeypatch):
    monkeypatch.setattr(caveats, "FEW_IMAGES", 2)
    members = [replace(fakes[0], name=f"m{i}", family=f"f{i}", skill=0.9) for i in range(10)]
    assert told(make_run(members, explainers=["lime"])) == {}
