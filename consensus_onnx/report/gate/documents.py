"""The texts a gate can write, by one door."""

from __future__ import annotations

import dataclasses
import json

from consensus_onnx.gate.results import GateResult
from consensus_onnx.report.gate.junit import junit_text as junit_text
from consensus_onnx.report.gate.markdown import markdown_text as markdown_text
from consensus_onnx.report.gate.sarif import sarif_text as sarif_text
from consensus_onnx.report.plain import plain

_PICTURES = ("canvas", "segments", "candidate", "reference", "consensus")


def json_text(result: GateResult) -> str:
    """Return every number of the result as JSON; numbers that do not exist are null, pictures are left out."""
    content = {"format": "consensus-onnx gate", "version": 1, "verdict": result.verdict}
    for field in dataclasses.fields(result):
        content[field.name] = plain(getattr(result, field.name)) if field.name != "candidates" else ""
    content["candidates"] = [
        {
            **{
                field.name: plain(getattr(one, field.name))
                for field in dataclasses.fields(one)
                if field.name != "worst"
            },
            "worst": [
                {
                    field.name: plain(getattr(drift, field.name))
                    for field in dataclasses.fields(drift)
                    if field.name not in _PICTURES
                }
                for drift in one.worst
            ],
        }
        for one in result.candidates
    ]
    return json.dumps(content, indent=1, allow_nan=False) + "\n"
