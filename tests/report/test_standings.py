from __future__ import annotations

import math
from dataclasses import replace

from consensus_onnx.report.standings import accuracies, family_slots, score_decimals, standings


def test_members_come_by_score_and_those_without_last(run):
    found = standings(run, "lime")
    scores = [entry.row.score for entry in found if entry.scored]
    assert scores == sorted(scores, reverse=True)
    assert [entry.rank for entry in found] == [1, 2, 3, 4, 5, 6, None]
    assert found[-1].member.name == "broken"
    assert [run.members[entry.index].name for entry in found] == [entry.member.name for entry in found]


def test_member_that_an_explainer_cannot_serve_has_no_rank(run):
    unranked = [entry.member.name for entry in standings(run, "smoothgrad") if entry.rank is None]
    assert unranked == ["delta", "broken"]


def test_only_families_of_several_have_colours(run):
    assert family_slots(run) == {"Net": 1, "Odd": 2, "Vit": 3}
    slots = {entry.member.name: entry.slot for entry in standings(run, "lime")}
    assert slots["alpha"] == slots["gamma"] == 1


def test_families_beyond_eight_share_the_neutral_colour(make_run, fakes):
    members = [replace(fakes[0], name=f"{family}{copy}", family=family) for family in "abcdefghij" for copy in "12"]
    many = make_run(members, images=1, explainers=["lime"])
    assert sorted(family_slots(many).values()) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert {entry.slot for entry in standings(many, "lime")} == set(range(9))


def test_where_accuracies_come_from(run, make_run, fakes):
    known = accuracies(run)
    assert (known.source, known.both, known.coarse, known.labelled) == ("declared", True, True, 4)
    assert known.values[:2] == (0.81, 0.77)
    assert math.isnan(known.values[-1])
    bare = [replace(fake, accuracy=None) for fake in fakes[:3]]
    measured = accuracies(make_run(bare, explainers=["lime"]))
    assert (measured.source, measured.both) == ("measured", False)
    assert measured.values == measured.measured
    assert accuracies(make_run([*bare, fakes[3]], explainers=["lime"])).source == "mixed"
    assert accuracies(make_run(bare, explainers=["lime"], labels=False)).source == "none"


def test_small_scores_get_a_fourth_decimal(run):
    found = standings(run, "lime")
    assert score_decimals(found) == 3
    assert score_decimals(tuple(replace(entry, row=replace(entry.row, score=0.02)) for entry in found)) == 4
