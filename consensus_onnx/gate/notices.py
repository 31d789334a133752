"""What a reader of a gate's result should know beside its checks."""

from __future__ import annotations

from collections.abc import Sequence

from consensus_onnx.engine.provenance import software_versions
from consensus_onnx.engine.questioning import Answers
from consensus_onnx.gate.baseline import Baseline
from consensus_onnx.gate.evidence import Evidence
from consensus_onnx.gate.referring import Against
from consensus_onnx.gate.request import GateRequest


def notices_of(
    frozen: Baseline,
    evidence: Sequence[Evidence],
    missing: Sequence[str],
    answers: Answers,
    against: Against,
    request: GateRequest,
) -> list[str]:
    """Return notices in plain words: what was not judged, and what else differs from when the baseline was frozen."""
    notices = []
    for name in missing:
        why = answers.unsupported.get(name, answers.reason)
        notices.append(f"{name}: the candidate has no explanation ({why}); --explainer leaves it out")
    for one in evidence:
        if against.reference is not None and one.frozen.name not in against.explained:
            notices.append(f"{one.frozen.name}: the reference has no explanation; nothing can be compared")
        elif one.reference is not None and all(values is None for values in one.reference.values):
            notices.append(
                f"{one.frozen.name}: the baseline does not hold the reference's explanations; freeze with "
                f"--keep {against.reference.name if against.reference else ''}, or give its file"
            )
    if len(frozen.members) == 1:
        notices.append("the baseline's committee is one model: neither place nor score drop are judged")
    if against.reference is not None and not (frozen.labels >= 0).any():
        notices.append("the baseline's pictures have no labels: accuracy is not judged")
    if request.seed is not None and request.seed != frozen.seed:
        notices.append(f"seed {request.seed}, the baseline's is {frozen.seed}: differences hold the noise of both")
    before, now = frozen.versions, software_versions()
    runtimes = [(name, before.get(name), now.get(name)) for name in ("onnxruntime-gpu", "onnxruntime", "machine")]
    changed = [f"{name} {old or 'none'} then, {new or 'none'} now" for name, old, new in runtimes if old != new]
    if changed:
        notices.append(f"explained by other software than the baseline: {'; '.join(changed)}")
    providers = {member.provider for member in frozen.members}
    if answers.provider and answers.provider not in providers:
        notices.append(f"ran on {answers.provider}, the baseline's members on {', '.join(sorted(providers))}")
    notices += [] if answers.facts is None else answers.facts.notices
    return notices
