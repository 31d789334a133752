"""The documentation says what the code does: generated pages are fresh, examples run, links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml

import consensus_onnx as co
from consensus_onnx.cli.app import main
from consensus_onnx.config import build_settings, read_yaml
from consensus_onnx_zoo.scenes import write_scenes
from miniature import build_committee

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def load_module(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_what_make_docs_writes() -> None:
    generate = load_module(ROOT / "docs" / "generate.py", "docs_generate")
    stale = [
        str(path)
        for path, text in generate.generated_files().items()
        if (ROOT / path).read_text(encoding="utf-8") != text
    ]
    assert not stale, f"run `make docs`: {stale}"


def test_default_yaml_equals_the_defaults_in_code() -> None:
    document = read_yaml(ROOT / "configs" / "default.yaml")
    assert build_settings(co.AuditSettings, document.values, source="default.yaml") == co.AuditSettings()


def test_paper_yaml_is_the_papers_setting() -> None:
    document = read_yaml(ROOT / "configs" / "paper.yaml")
    settings = build_settings(co.AuditSettings, document.values, lines=document.lines, source="paper.yaml")
    assert settings.lime.samples == 1000
    assert settings.lime.alpha == 0
    assert settings.lime.superpixels == co.Superpixels(method="quickshift", sigma=1.0)
    assert settings.smoothgrad == co.SmoothGrad(samples=50, noise=0.1, of="probabilities")
    assert (settings.consensus.superpixel.vote, settings.consensus.superpixel.similarity) == ("lime_paper", "cosine")
    assert (settings.consensus.pixel.vote, settings.consensus.pixel.similarity) == ("minmax_mean", "rbf")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_yaml_examples_parse(page: Path) -> None:
    for block in code_blocks(page, "yaml"):
        assert yaml.safe_load(block)


def test_every_command_is_in_the_reference_and_teaches_by_example() -> None:
    reference = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for name in main.list_commands(None):  # type: ignore[arg-type]
        command = main.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert f"## consensus-onnx {name}" in reference
        assert f"consensus-onnx {name}" in (command.help or ""), f"{name}: --help shows no example"


def test_the_public_names_are_there() -> None:
    for name in dir(co):
        assert getattr(co, name) is not None


@pytest.mark.slow
def test_the_explainer_of_the_docs_serves_in_an_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = code_blocks(ROOT / "docs" / "explainers.md", "python")[0]
    (tmp_path / "occlusion_example.py").write_text(block, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    occlusion = load_module(tmp_path / "occlusion_example.py", "occlusion_example").Occlusion()
    assert isinstance(occlusion, co.Explainer)
    committee = co.load_committee(build_committee(tmp_path / "models"))
    labels = write_scenes(tmp_path / "images", 2)
    run = co.audit(
        committee,
        tmp_path / "images" / "pictures",
        labels=labels,
        explainers=[occlusion],
        settings=co.AuditSettings(canvas=co.CanvasSettings(resize=96, crop=96)),
        out=tmp_path / "run",
    )
    assert run.scores("occlusion").shape == (2, 2)
    direct = occlusion.explain(committee[0], run.canvas(0))
    np.testing.assert_array_equal(run.explanation("occlusion", 0, 0).values, direct.values)
