"""JUnit XML: one suite a candidate, one case a condition, as CI systems show test results."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from consensus_onnx.gate.results import CandidateResult, Check, GateResult
from consensus_onnx.report.templating import clean


def junit_text(result: GateResult) -> str:
    """Return the result as JUnit XML, in the dialect that Jenkins' xUnit plugin, pytest and GitLab share.

    A broken condition is a failure; what could not be judged is an error, so that no system takes it for a pass; a
    candidate that could not be explained is a suite with one error. There is no clock in it: the same result gives
    the same text.
    """
    root = Element("testsuites", name="consensus-onnx gate")
    totals = dict.fromkeys(("tests", "failures", "errors"), 0)
    for candidate in result.candidates:
        suite = _suite(candidate, result)
        root.append(suite)
        for key in totals:
            totals[key] += int(suite.attrib[key])
    for key, total in totals.items():
        root.set(key, str(total))
    root.set("time", "0")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(candidate: CandidateResult, result: GateResult) -> Element:
    name = _text(candidate.path)
    suite = Element("testsuite", name=name)
    properties = SubElement(suite, "properties")
    for key, value in (
        ("baseline", result.baseline),
        ("baseline_sha256", result.baseline_sha256),
        ("reference", candidate.reference),
        ("preprocessing", candidate.preprocessing),
        ("verdict", candidate.verdict),
    ):
        SubElement(properties, "property", name=key, value=_text(value))
    for check in candidate.checks:
        _case(suite, name, check)
    unheld = [f"{one.model}: {one.explainer} of {one.image}: {one.status}: {one.reason}" for one in candidate.failures]
    if candidate.verdict in ("broken", "incomplete"):
        reason = candidate.reason or "; ".join(unheld[:3]) or "a condition could not be judged"
        case = SubElement(suite, "testcase", name="explained", classname=name, time="0")
        SubElement(case, "error", message=_text(reason), type=candidate.verdict).text = _text(reason)
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", str(sum(case.find("error") is not None for case in cases)))
    suite.set("skipped", "0")
    suite.set("time", "0")
    return suite


def _case(suite: Element, name: str, check: Check) -> None:
    case = SubElement(suite, "testcase", name=check.name, classname=name, time="0")
    if check.status == "failed":
        SubElement(case, "failure", message=_text(check.text), type=check.condition).text = _text(check.text)
    elif check.status == "unjudged":
        SubElement(case, "error", message=_text(check.text), type="unjudged").text = _text(check.text)
    else:
        SubElement(case, "system-out").text = _text(check.text)


def _text(text: str) -> str:
    """Return text that XML can hold: no control characters, no lone surrogates, not too long."""
    return clean(text, 2000)
