"""SARIF 2.1.0: one result for each broken or unjudged condition, as code scanning shows findings."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

from consensus_onnx.gate.results import CandidateResult, Check, GateResult
from consensus_onnx.report.plain import plain
from consensus_onnx.report.templating import clean

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_RULES = {
    "min_score_percentile": "The consensus score lies low among the committee's members",
    "max_score_drop": "The consensus score fell below the reference's",
    "min_similarity_to_reference": "Explanations moved away from the reference's",
    "min_prediction_agreement": "Predictions differ from the reference's",
    "max_accuracy_drop": "Accuracy fell below the reference's",
    "max_mask_ap_drop": "Explanations found objects less well than the reference's",
    "explained": "The model could not be explained, or not on every picture",
}


def sarif_text(result: GateResult) -> str:
    """Return the result as a SARIF 2.1.0 log.

    Each candidate's file is the location of its results; what passed is a result of kind ``pass``, a failure has the
    level ``error``, what could not be judged the level ``warning`` and kind ``review``.
    """
    results = [entry for candidate in result.candidates for entry in _results(candidate)]
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "consensus-onnx gate",
                        "version": result.versions.get("consensus-onnx", "0"),
                        "rules": [{"id": name, "shortDescription": {"text": text}} for name, text in _RULES.items()],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [{"executionSuccessful": result.verdict != "broken"}],
                "properties": {
                    "baseline": result.baseline,
                    "baselineSha256": result.baseline_sha256,
                    "settings": plain(result.settings),
                },
                "results": results,
            }
        ],
    }
    return json.dumps(log, indent=1, allow_nan=False) + "\n"


def _results(candidate: CandidateResult) -> list[dict[str, Any]]:
    entries = [_result(candidate, check) for check in candidate.checks]
    if candidate.verdict in ("broken", "incomplete"):
        unheld = [f"{one.explainer} of {one.image}: {one.reason}" for one in candidate.failures[:3]]
        text = candidate.reason or "; ".join(unheld) or "a condition could not be judged"
        level = "error" if candidate.verdict == "broken" else "warning"
        entries.append(_entry(candidate, "explained", "explained", text, level, {}))
    return entries


def _result(candidate: CandidateResult, check: Check) -> dict[str, Any]:
    level = {"failed": "error", "unjudged": "warning", "passed": "none"}[check.status]
    numbers = {name: getattr(check, name) for name in ("measured", "low", "high", "bound", "limit", "noise", "images")}
    return _entry(candidate, check.condition, check.name, check.text, level, numbers)


def _entry(
    candidate: CandidateResult, rule: str, name: str, text: str, level: str, numbers: dict[str, Any]
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "ruleId": rule,
        "ruleIndex": list(_RULES).index(rule),
        "level": level,
        "message": {"text": clean(f"{candidate.candidate}: {text}", 2000)},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": urllib.parse.quote(candidate.path.replace("\\", "/"))}}}
        ],
        "partialFingerprints": {"candidateAndCondition/v1": clean(f"{candidate.path}:{name}", 500)},
    }
    if level == "none":
        entry["kind"] = "pass"
    if numbers:
        entry["properties"] = plain(numbers)
    return entry
