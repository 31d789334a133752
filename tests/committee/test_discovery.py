"""From a folder to members, without loading any."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import consensus_onnx as co
from tiny_models import TinyNet, linear_classifier, write_committee


def test_without_a_manifest_members_come_sorted_by_file_name(tmp_path: Path) -> None:
    folder = write_committee(tmp_path / "zoo", {name: linear_classifier() for name in ("beta", "alpha", "gamma")})
    (folder / "notes.txt").write_text("not a model")
    (folder / "folder.onnx").mkdir()
    committee = co.load_committee(folder)
    assert [member.name for member in committee] == ["alpha", "beta", "gamma"]
    assert [member.family for member in committee] == ["alpha", "beta", "gamma"]
    assert committee.name == "zoo"
    assert committee.classes is None
    assert all(member.accuracy is None for member in committee)


def test_a_manifest_chooses_orders_and_names(tmp_path: Path) -> None:
    manifest = """
name: two of three
classes: 4
members:
  - {file: gamma.onnx, family: greek, accuracy: 0.7}
  - {file: alpha.onnx, name: first}
"""
    models = {name: linear_classifier() for name in ("beta", "alpha", "gamma")}
    committee = co.load_committee(write_committee(tmp_path, models, manifest))
    assert committee.name == "two of three"
    assert [(member.name, member.family, member.path.name) for member in committee] == [
        ("gamma", "greek", "gamma.onnx"),
        ("first", "first", "alpha.onnx"),
    ]
    assert committee[0].accuracy == 0.7
    assert {member.classes for member in committee} == {4}
    assert committee.member("first") is committee[1]
    assert [member.name for member in committee[1:]] == ["first"]
    with pytest.raises(KeyError, match="no member named 'beta'; there are: gamma, first"):
        committee.member("beta")


def test_defaults_serve_a_folder_whose_members_are_not_listed(tmp_path: Path) -> None:
    folder = write_committee(tmp_path, {"grey": TinyNet(color="GRAY")}, "defaults: {preprocess: {mean: [7], std: [9]}}")
    facts = co.load_committee(folder)[0].open().facts
    assert (facts.preprocessing.scale, facts.preprocessing.mean, facts.preprocessing.std) == (1.0, (7.0,), (9.0,))


@pytest.mark.parametrize("listed", [True, False])
def test_one_file_is_a_committee_of_one_under_the_manifest_beside_it(listed: bool, tmp_path: Path) -> None:
    manifest = "defaults: {preprocess: {mean: [1, 2, 3]}}\nclasses: 4\nmembers:\n  - {file: other.onnx}\n"
    manifest += "  - {file: model.onnx, name: mine}\n" if listed else ""
    folder = write_committee(tmp_path, {"model": linear_classifier(), "other": linear_classifier()}, manifest)
    committee = co.load_committee(folder / "model.onnx")
    assert [member.name for member in committee] == ["mine" if listed else "model"]
    assert committee[0].declaration.preprocess.mean == (1.0, 2.0, 3.0)
    assert committee[0].classes == 4


def test_one_file_needs_neither_suffix_nor_neighbours(tmp_path: Path) -> None:
    folder = write_committee(tmp_path, {"model": linear_classifier()})
    plain = (folder / "model.onnx").rename(folder / "model.bin")
    assert co.load_committee(plain)[0].open().facts.output.classes == 4


def test_no_models_and_no_folder_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    expected = f"{tmp_path / 'empty'}: no .onnx files here; give the folder that holds the exported models"
    with pytest.raises(co.ConfigError, match=re.escape(expected)):
        co.load_committee(tmp_path / "empty")
    with pytest.raises(co.ConfigError, match=re.escape(f"{tmp_path / 'gone'}: no such folder; give a folder of")):
        co.load_committee(tmp_path / "gone")


def test_the_declared_digest_counts_what_changes_results_only(tmp_path: Path) -> None:
    def digest(entry: str, classes: int = 4) -> str:
        manifest = f"classes: {classes}\nmembers:\n  - {{file: model.onnx{entry}}}\n"
        member = co.load_committee(write_committee(tmp_path, {"model": linear_classifier()}, manifest))[0]
        return member.declared_digest(member.file_digest())

    plain = digest("")
    assert digest(", name: other, family: family, accuracy: 0.5") == plain
    assert digest(", preprocess: {mean: [1, 2, 3]}") != plain
    assert digest(", output: {class_offset: 0}") != plain
    assert digest("", classes=3) != plain
