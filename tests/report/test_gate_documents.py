"""What the gate writes is what its readers expect: JUnit, SARIF 2.1.0, Markdown, JSON, an offline page."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from consensus_onnx.gate.results import CandidateResult, Check, Failed, GateResult, ImageDrift, Standing
from consensus_onnx.report.gate.documents import json_text, junit_text, markdown_text, sarif_text
from consensus_onnx.report.gate.page import gate_page

NAN = float("nan")
EVIL = "a|b<script>alert(1)</script>\x1b[31m\x00"


def check(condition: str, explainer: str, status: Any, text: str = "as measured") -> Check:
    return Check(condition, explainer, status, 0.1, 0.05, 0.15, 0.06, 0.03, 0.01, 0.08, 24, 60, text)


def candidate(name: str, verdict: Any, checks: tuple[Check, ...], reason: str = "") -> CandidateResult:
    rng = np.random.default_rng(0)
    drift = ImageDrift(
        "dog.png",
        "smoothgrad",
        0.4,
        0.5,
        0.7,
        3,
        4,
        3,
        rng.integers(0, 255, (32, 32, 3), np.uint8),
        None,
        rng.random((8, 8), np.float32),
        rng.random((8, 8), np.float32),
        rng.random((8, 8), np.float32),
    )
    standing = Standing("lime", 0.6, 0.5, 0.7, 40.0, 20.0, 60.0, 8, 0.7, 0.9, NAN, NAN, 0.9, 0.9, "predicted")
    return CandidateResult(
        candidate=name,
        path=f"exports/{name}.onnx",
        digest="ab" * 32,
        verdict=verdict,
        reason=reason,
        reference="resnet",
        preprocessing="mean, std: inherited from resnet",
        targets="the reference's prediction",
        checks=checks,
        standings=(standing,),
        agreement=0.9,
        accuracy=NAN,
        reference_accuracy=NAN,
        worst=(drift,),
        failures=(Failed("candidate", "lime", "dog.png", "bad_output", "NaN"),) if verdict == "incomplete" else (),
        notices=(EVIL,),
    )


@pytest.fixture(scope="module")
def result() -> GateResult:
    good = candidate("good", "passed", (check("max_score_drop", "lime", "passed"),))
    bad = candidate(
        "bad", "failed", (check("max_score_drop", "lime", "failed", EVIL), check("max_accuracy_drop", "", "passed"))
    )
    torn = candidate("torn", "broken", (), EVIL)
    open_ = candidate("open", "incomplete", (check("min_similarity_to_reference", "lime", "unjudged"),))
    return GateResult(
        "baseline.zip",
        "cd" * 32,
        EVIL,
        8,
        24,
        0,
        {"level": 0.95},
        (good, bad, torn, open_),
        {"consensus-onnx": "0.1.0"},
    )


def test_junit_counts_failures_and_errors_and_never_passes_what_was_not_judged(result: GateResult) -> None:
    root = ElementTree.fromstring(junit_text(result).encode())
    assert root.tag == "testsuites"
    assert {key: root.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "6",
        "failures": "1",
        "errors": "3",
    }
    suites = {suite.get("name"): suite for suite in root.iter("testsuite")}
    assert list(suites) == [f"exports/{name}.onnx" for name in ("good", "bad", "torn", "open")]
    for suite in suites.values():
        for key, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
            assert suite.get(key) == str(len(list(suite.iter(tag))))
        assert suite[0].tag == "properties"
        for case in suite.iter("testcase"):
            assert case.get("name")
            assert case.get("classname") == suite.get("name")
            assert all(child.tag in ("failure", "error", "system-out") for child in case)
    assert next(suites["exports/torn.onnx"].iter("error")).get("type") == "broken"
    assert "\x1b" not in junit_text(result)


def test_sarif_has_what_the_standard_requires(result: GateResult) -> None:
    """SARIF 2.1.0, sections 3.13 to 3.27: required properties, and the values its enumerations allow."""
    log = json.loads(sarif_text(result))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]
    rules = [rule["id"] for rule in driver["rules"]]
    assert len(set(rules)) == len(rules)
    assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
    assert [type(one["executionSuccessful"]) for one in run["invocations"]] == [bool]
    for entry in run["results"]:
        assert rules[entry["ruleIndex"]] == entry["ruleId"]
        assert entry["message"]["text"]
        assert entry["level"] in ("none", "note", "warning", "error")
        assert (entry["level"] == "none") == (entry.get("kind") == "pass")  # any other kind must have level none, too
        uri = entry["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9._/%-]+", uri)
    levels = [(entry["ruleId"], entry["level"]) for entry in run["results"]]
    assert ("max_score_drop", "error") in levels
    assert ("explained", "error") in levels
    assert ("min_similarity_to_reference", "warning") in levels
    assert run["invocations"][0]["executionSuccessful"] is False


@pytest.mark.skipif("CONSENSUS_ONNX_SCHEMAS" not in os.environ, reason="CONSENSUS_ONNX_SCHEMAS names no folder")
def test_both_obey_the_published_schemas(result: GateResult) -> None:
    """The folder holds sarif-schema-2.1.0.json (OASIS) and junit-10.xsd (Jenkins' xUnit plugin)."""
    folder = Path(os.environ["CONSENSUS_ONNX_SCHEMAS"])
    jsonschema, xmlschema = pytest.importorskip("jsonschema"), pytest.importorskip("xmlschema")
    schema = json.loads((folder / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
    jsonschema.validators.validator_for(schema)(schema).validate(json.loads(sarif_text(result)))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validators.validator_for(schema)(schema).validate({"version": "2.1.0"})
    xmlschema.XMLSchema(folder / "junit-10.xsd").validate(junit_text(result))
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        xmlschema.XMLSchema(folder / "junit-10.xsd").validate(junit_text(result).replace("testcase", "testcases"))


def test_json_holds_every_number_and_no_picture(result: GateResult) -> None:
    content = json.loads(json_text(result))
    assert (content["format"], content["version"], content["verdict"]) == ("consensus-onnx gate", 1, "broken")
    assert [one["verdict"] for one in content["candidates"]] == ["passed", "failed", "broken", "incomplete"]
    assert content["candidates"][0]["accuracy"] is None
    assert content["candidates"][1]["checks"][0]["measured"] == 0.1
    assert content["candidates"][0]["worst"][0].keys() & {"canvas", "candidate", "reference"} == set()


def test_markdown_shows_texts_as_they_are(result: GateResult) -> None:
    text = markdown_text(result)
    assert text.startswith("## ❌ consensus-onnx gate: broken")
    assert "<script>" not in text
    assert "\x1b" not in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables if "max_" in line} == {10}
    assert "max_score_drop.lime** failed: a\\|b\\<script\\>" in text


def test_the_page_is_complete_and_escaped(result: GateResult) -> None:
    text = gate_page(result)
    assert text == gate_page(result)
    assert "default-src 'none'" in text
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", text)
    assert "<script" not in text
    assert text.count("data:image/webp") == 4 * 5
    assert "&lt;script&gt;" in text


def test_verdicts_by_gravity(result: GateResult) -> None:
    good, bad, torn, open_ = result.candidates
    for some, verdict in (((good,), "passed"), ((good, open_), "incomplete"), ((open_, bad), "failed")):
        assert replace(result, candidates=some).verdict == verdict
    assert replace(result, candidates=(bad, torn)).verdict == "broken"
