from __future__ import annotations

from dataclasses import replace

from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.remarks import remarks


def told(run) -> dict[str, str]:
    return {remark.title: remark.text for remark in remarks(Experiments(run))}


def test_a_haze_that_makes_the_ranking_is_found_out(make_run, fakes):
    """Members of one skill; a power below 1 brightens a map and leaves the order of its pixels as it is."""
    powers = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.6, 0.5, 0.4, 0.35, 0.3, 0.25]
    accuracy = [0.8 - 0.02 * i + 0.011 * (i % 3) for i in range(13)]
    members = [
        replace(fakes[0], name=f"m{i}", family=f"f{i}", skill=0.7, power=power, accuracy=value)
        for i, (power, value) in enumerate(zip(powers, accuracy, strict=True))
    ]
    found = told(make_run(members, images=4, explainers=["smoothgrad"]))
    brightness = [title for title in found if title.startswith("SmoothGrad:") and "brightness" in title]
    assert brightness, found
    assert "held fixed" in found[brightness[0]]


def test_honest_members_give_no_reason_to_warn_of_brightness(make_run, fakes):
    members = [replace(fakes[0], name=f"m{i}", skill=0.9 - 0.05 * i, accuracy=0.8 - 0.02 * i) for i in range(10)]
    found = told(make_run(members, images=4, explainers=["lime"]))
    assert not [title for title in found if "explain" in title]


def test_few_members_say_nothing(run):
    assert told(run) == {}
