"""Opening a member: everything its use needs is found out, from declaration, metadata, file and a probe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from consensus_onnx.arrays import AnyArray, Float64Array
from consensus_onnx.committee.answering import choose_output, resolve_output
from consensus_onnx.committee.classifier import Classifier, run_rows
from consensus_onnx.committee.discovery import Member
from consensus_onnx.committee.facts import ModelFacts
from consensus_onnx.committee.loading import load_model
from consensus_onnx.committee.reading import resolve_input, resolve_preprocessing
from consensus_onnx.committee.sheet import make_sheet
from consensus_onnx.errors import ModelError
from consensus_onnx.runtime import RuntimeSettings, open_session, serialise
from consensus_onnx.runtime.memory import give_back_freed
from consensus_onnx.runtime.text import first_line

_PROBES = 3  # pictures of noise that find out width, kind and batching of an output
_SAME = 1e-5  # of the largest answer: what a loosened batch may differ by


def open_classifier(member: Member, runtime: RuntimeSettings) -> Classifier:
    """Load a member and find out all about it.

    Raises
    ------
    ModelError
        If the file is no usable image classifier.
    """
    loaded = load_model(member.path)
    sheet = make_sheet(str(member.path), loaded.proto, member.declaration)
    reads = resolve_input(sheet, loaded.proto)
    preprocessing = resolve_preprocessing(sheet, reads.channels)
    output = choose_output(sheet, loaded.proto)
    parameters = sum(int(np.prod(tensor.dims)) for tensor in loaded.proto.graph.initializer)
    opset = next((entry.version for entry in loaded.proto.opset_import if entry.domain in ("", "ai.onnx")), 0)
    digest, serialised = loaded.digest, serialise(loaded.proto)
    del loaded  # ONNX Runtime is about to hold the weights twice for a moment
    try:
        session = open_session(serialised, runtime)
    except ModelError as error:
        raise sheet.error(str(error)) from error
    del serialised
    give_back_freed()
    shape = (reads.channels, *reads.size) if reads.layout == "NCHW" else (*reads.size, reads.channels)
    probes = np.random.default_rng(0).standard_normal((_PROBES, *shape)).astype(reads.dtype)
    try:
        rows = run_rows(session, reads.name, output, probes, reads.batch)
    except Exception as error:  # the runtime's own classes, MemoryError, ValueError alike
        raise sheet.error(f"fails on a probe picture: {first_line(error)}") from error
    answers = resolve_output(sheet, output, rows, member.classes)
    facts = ModelFacts(
        input=reads,
        preprocessing=preprocessing,
        output=answers,
        parameters=parameters,
        opset=opset,
        digest=digest,
        sources=dict(sheet.sources),
        notices=tuple(sheet.notices),
    )
    classifier = Classifier(member, facts, False, runtime, session)
    return _loosened(classifier, probes, rows) if reads.batch == 1 else classifier


def _loosened(classifier: Classifier, probes: AnyArray, rows: Float64Array) -> Classifier:
    """Return a member that was exported for one picture as it takes any number, if it answers them as one by one."""
    facts = classifier.facts
    loose = replace(classifier, facts=replace(facts, input=replace(facts.input, batch=0)), loosened=True, _derived={})
    try:
        loose = replace(loose, session=open_session(serialise(loose.load()), classifier.runtime))
        together = run_rows(loose.session, facts.input.name, facts.output.name, probes, 0)
    except Exception:  # whatever fails, the original still runs one by one
        together = np.empty(0)
    if together.shape == rows.shape and np.abs(together - rows).max() <= _SAME * np.abs(rows).max():
        return loose
    notice = "fixed to one picture per pass and not provably the same with more: run one by one"
    return replace(classifier, facts=replace(facts, notices=(*facts.notices, notice)))
