"""The page docs/operators.md: what is differentiated, how each was checked, what is not and why."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import onnx

from consensus_onnx.gradients import registry, supported_operators
from consensus_onnx.gradients.expansion import expanded_operators
from gradients.node_cases import TABLE, VERDICTS
from gradients.node_exceptions import RUNTIME_DECIDES, UNSUPPORTED, UNSUPPORTED_CASES
from gradients.operator_cases import CASES
from references import timm_page

TIMM = Path(__file__).parents[2] / "docs" / "timm.csv"
NETWORKS = Path(__file__).parent.parent / "data" / "gradients"
# Shown by hand where differences say nothing: test_quantisation.py.
BY_HAND = frozenset(
    {"QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}
)


def operator_page() -> str:
    """Return the page."""
    nodes = _node_table()
    networks = _networks()
    parts = [
        "# Operators",
        "Written by `make docs` from the code and from `tests/gradients/node_cases.csv`.",
        _summary(nodes),
        "## In the wild",
        _timm(),
        "## With a rule",
        "Versions are those of the operator's definition; a model's own opset decides which one it means. *Cases* are "
        "single nodes of ours (`tests/gradients/operator_cases.py`), every partial derivative against differences in "
        "float64 at every version; *node tests* are ONNX's, passed of those that are not flat; *networks* are those "
        "with a stored PyTorch gradient that contain the operator.",
        _rules(nodes, networks),
        "## Written by other operators",
        "These have no rule: before anything is differentiated they are replaced by operators that have one. `If` with a "
        "condition, and `Loop` and `Scan` with a number of rounds, that are known before the model runs become the nodes "
        "of the branch or of every round; calls of a model's own functions become their nodes.",
        _expansions(nodes),
        "## Without gradient",
        "Declared: what comes out does not change with what goes in, or only in jumps. A path to the input through one "
        "of these is no path.",
        ", ".join(f"`{_name(domain, name)}`" for domain, name in registry.flat_operators()) + ".",
        "## Not supported",
        _reasons(nodes),
    ]
    return "\n\n".join(parts) + "\n"


def _timm() -> str:
    """Return how many of timm's modules differentiate, exporter by exporter."""
    return (
        "The smallest architecture of each of timm's 98 modules, exported with seeded random weights, against PyTorch's "
        "autograd (max |difference| / max |gradient|); [timm.md](timm.md) lists them, with the command, and says what "
        f"the last column is.\n\n{timm_page.summary(timm_page.table_of(TIMM))}"
    )


def _node_table() -> dict[str, dict[str, int]]:
    with TABLE.open(encoding="utf-8") as file:
        return {row.pop("operator"): {key: int(value) for key, value in row.items()} for row in csv.DictReader(file)}


def _networks() -> Counter[str]:
    """Return in how many networks with a PyTorch gradient each operator is."""
    found: Counter[str] = Counter()
    for path in sorted(NETWORKS.glob("*.onnx")):
        found.update({node.op_type for node in onnx.load(path).graph.node})
    return found


def _summary(nodes: dict[str, dict[str, int]]) -> str:
    total = Counter[str]()
    for counts in nodes.values():
        total.update(counts)
    rules = {key[:2] for key in supported_operators()}
    lines = [
        f"{len(rules)} operators have rules, at {len(supported_operators())} versions; "
        f"{len(expanded_operators())} more have an expansion, {len(_bodies())} more a definition by other operators; "
        f"{len(registry.flat_operators())} are declared to have gradient zero. Which operators stop a model, all of "
        "them at once: `unsupported_operators(model)`.",
        f"ONNX's own node tests, {total['cases']:,} cases, every output of real numbers by every input of real numbers at "
        f"the case's own inputs, against differences in float64 of a forward pass that reproduces the case's outputs: "
        f"**{total['passed']:,} passed**, {total['flat']:,} have no gradient (no real number goes in or comes out, or all "
        f"derivatives are declared zero and their differences are), {total['estimate']:,} are straight-through estimates "
        f"checked by hand, **{total['unsupported']:,} are not supported** (below, one by one). {total['derivatives']:,} "
        f"derivatives were compared, {total['beside_a_kink']:,} of them beside a kink or a tie of the case's inputs; "
        f"{len(RUNTIME_DECIDES)} cases against ONNX Runtime's own differences, because it computes other outputs than the "
        "case stores. Inputs of integers and those that decide a size are constants there.",
        "```\nPYTHONPATH=tests python -m gradients.node_cases   # measures this again and writes node_cases.csv\n```",
    ]
    return "\n\n".join(lines)


def _rules(nodes: dict[str, dict[str, int]], networks: Counter[str]) -> str:
    cases = Counter((case.domain, case.op) for case in CASES)
    versions: dict[tuple[str, str], list[int]] = {}
    for domain, name, version in supported_operators():
        versions.setdefault((domain, name), []).append(version)
    rows = [
        (
            f"`{_name(domain, name)}`",
            ", ".join(map(str, found)),
            str(cases[domain, name] or ("by hand" if name in BY_HAND else "")),
            _passed(nodes, name),
            str(networks[name] or ""),
        )
        for (domain, name), found in sorted(versions.items(), key=lambda item: item[0][1].lower())
    ]
    return _table(("operator", "versions", "cases", "node tests", "networks"), rows)


def _expansions(nodes: dict[str, dict[str, int]]) -> str:
    rows = [
        (f"`{_name(domain, name)}`", "expansion", _passed(nodes, _name(domain, name)))
        for domain, name in expanded_operators()
    ]
    rows += [
        (f"`{_name(domain, name)}`", "ONNX's definition", _passed(nodes, _name(domain, name)))
        for domain, name in _bodies()
    ]
    rows += [(f"`{name}`", "its rounds", _passed(nodes, name)) for name in ("Loop", "Scan")]
    rows += [("`If`", "its branch", _passed(nodes, "If")), ("`Scatter`, `Upsample`", "ONNX's version converter", "")]
    return _table(("operator", "by", "node tests"), sorted(rows, key=lambda row: row[0].strip("`").lower()))


def _bodies() -> list[tuple[str, str]]:
    """Return operators without rule, expansion or declaration that ONNX defines by others and are not refused."""
    latest = {(schema.domain, schema.name): schema for schema in onnx.defs.get_all_schemas()}
    known = {key[:2] for key in supported_operators()} | {*expanded_operators(), *registry.flat_operators()}
    return sorted(
        key
        for key, schema in latest.items()
        if key not in known
        and key[1] not in UNSUPPORTED
        and (schema.has_function or schema.has_context_dependent_function)
    )


def _reasons(nodes: dict[str, dict[str, int]]) -> str:
    rows = [
        (f"`{name}`", str(nodes[name]["unsupported"]) if name in nodes else "0", why)
        for name, why in sorted(UNSUPPORTED.items(), key=lambda item: item[0].lower())
    ]
    first = _table(("operator", "node tests", "why"), rows)
    others = _table(
        ("node tests named", "why"), [(f"`{start}*`", why) for start, why in sorted(UNSUPPORTED_CASES.items())]
    )
    return f"{first}\n\nSingle cases of operators that are supported otherwise:\n\n{others}"


def _passed(nodes: dict[str, dict[str, int]], name: str) -> str:
    """Return '12 of 13': node tests passed, of those that have a gradient."""
    counts = nodes.get(name)
    if counts is None:
        return ""
    able = sum(counts[verdict] for verdict in VERDICTS) - counts["flat"]
    return f"{counts['passed']} of {able}" if able else "flat"


def _name(domain: str, name: str) -> str:
    return f"{domain}.{name}".lstrip(".")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
