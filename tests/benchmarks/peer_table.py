"""The Markdown that peer_comparison.py prints, made from its JSON: times, memory, agreement, and where a peer wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Entry = Mapping[str, Any]

# How each tool is called in a table, and whose bare passes it also stands on.
_TITLES = {
    "ours, lime": "ours",
    "lime": "lime, its defaults (batch 10)",
    "lime, best batch": "lime, best batch",
    "dianna": "dianna, its defaults (batch 10)",
    "captum, lime": "captum, its defaults (batch 1)",
    "captum, lime as ours": "captum, told to do the same, best batch",
    "ours, smoothgrad": "ours",
    "captum, smoothgrad": "captum, best batch",
    "onnxruntime": "bare forward passes, ONNX Runtime",
    "pytorch": "bare forward passes, PyTorch",
}
_TASKS = {"lime": "LIME, {rows} rows", "smoothgrad": "SmoothGrad, {draws} draws"}
_FLOOR, _TORCH = "onnxruntime", "pytorch"


def comparison_page(document: Mapping[str, Any]) -> str:
    """Return the whole Markdown.

    Parameters
    ----------
    document : dict
        `machine`, `versions`, `options` and `networks`; each network has `title`, `superpixels` and `entries`, each
        entry `task`, `tool`, `batch`, `seconds` (of each round), `peak_mb`, `open_mb` and, where it can be compared
        with ours, `with_ours`, `with_itself`, `ours_with_itself` (mean correlations of explanations by two seeds).
    """
    networks, options = document["networks"], document["options"]
    parts = [_setting(document)]
    for task, title in _TASKS.items():
        parts += [_times(title.format(**options), task, networks), _memory(title.format(**options), task, networks)]
    return "\n\n".join([*parts, _agreement(networks), _losses(networks)]) + "\n"


def best(entry: Entry) -> float:
    """Return the seconds of the fastest round."""
    return float(min(entry["seconds"]))


def _setting(document: Mapping[str, Any]) -> str:
    machine, options = document["machine"], document["options"]
    lines = [f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']:.0f} GB, {machine['system']}."]
    lines.append(
        f"{options['threads']} thread(s) each; the least of {options['rounds']} rounds in which the tools take turns."
    )
    lines += [
        f"Versions, {side} process: "
        + ", ".join(f"{name} {version}" for name, version in versions.items() if version)
        + "."
        for side, versions in document["versions"].items()
    ]
    pictures = ", ".join(f"{network['title']} {network['superpixels']}" for network in document["networks"])
    lines.append(f"Superpixels: {pictures}. Load of the machine before each round: {_loads(document['networks'])}.")
    return "\n".join(lines)


def _loads(networks: Sequence[Entry]) -> str:
    return "; ".join(" ".join(f"{load:.1f}" for load in network["loads"]) for network in networks)


def _times(title: str, task: str, networks: Sequence[Entry]) -> str:
    def cell(entry: Entry, network: Entry) -> str:
        found = _by_tool(network, task)
        text = f"{best(entry):.2f} s, {best(entry) / best(found[_FLOOR]):.2f}"
        if entry["tool"].startswith("captum") and _TORCH in found:
            text += f" ({best(entry) / best(found[_TORCH]):.2f})"
        return text

    heading = f"{title}: seconds, multiple of ONNX Runtime's bare passes (of PyTorch's)"
    return _table(heading, task, networks, cell)


def _memory(title: str, task: str, networks: Sequence[Entry]) -> str:
    heading = f"{title}: peak memory in MB (before the first explanation); batch"

    def cell(entry: Entry, network: Entry) -> str:
        batch = f"; {entry['batch']}" if entry["batch"] else ""
        return f"{entry['peak_mb']:.0f} ({entry['open_mb']:.0f}){batch}"

    return _table(heading, task, networks, cell)


def _table(heading: str, task: str, networks: Sequence[Entry], cell: Any) -> str:
    found = [_by_tool(network, task) for network in networks]
    rows = [[heading, *(network["title"] for network in networks)], ["---"] * (len(networks) + 1)]
    for tool in (tool for tool in _TITLES if any(tool in entries for entries in found)):
        pairs = zip(found, networks, strict=True)
        rows.append(
            [_TITLES[tool], *(cell(entries[tool], network) if tool in entries else "-" for entries, network in pairs)]
        )
    return _markdown(rows)


def _agreement(networks: Sequence[Entry]) -> str:
    """Return the correlations, and what they come to without noise."""
    rows = [["correlation of explanations by different seeds", "with ours", "of its own", "of ours", "without noise"]]
    rows.append(["---"] * 5)
    for network in networks:
        for entry in network["entries"]:
            if "with_ours" in entry:
                with_ours, itself, ours = (entry[key] for key in ("with_ours", "with_itself", "ours_with_itself"))
                freed = f"{with_ours / (itself * ours) ** 0.5:.3f}" if min(itself, ours) > 0 else "-"
                name = f"{network['title']}, {entry['tool']}"
                rows.append([name, *(f"{value:.3f}" for value in (with_ours, itself, ours)), freed])
    if len(rows) == 2:
        return "Agreement takes two rounds or more."
    return (
        _markdown(rows)
        + "\n\nTwo samples of one and the same explanation correlate with each other as with themselves: "
        "the last column, with ours / sqrt(its own x ours), is then 1. Below about 0.5 "
        "correlations are noise themselves: take more rows."
    )


def _losses(networks: Sequence[Entry]) -> str:
    """Say where a peer takes less time or memory than ours."""
    lost = []
    for network in networks:
        for task in _TASKS:
            found = _by_tool(network, task)
            ours = found.pop(f"ours, {task}", None)
            for tool, entry in found.items():
                if ours is None or tool in (_FLOOR, _TORCH):
                    continue
                where = f"{network['title']}, {task}: {_TITLES[tool]}"
                if best(entry) < best(ours):
                    lost.append(f"- {where} takes {best(entry):.2f} s, ours {best(ours):.2f} s.")
                if entry["peak_mb"] < ours["peak_mb"]:
                    lost.append(f"- {where} takes {entry['peak_mb']:.0f} MB, ours {ours['peak_mb']:.0f} MB.")
    return "Where a peer wins:\n\n" + "\n".join(lost) if lost else "Where a peer wins: nowhere in this run."


def _by_tool(network: Entry, task: str) -> dict[str, Entry]:
    return {entry["tool"]: entry for entry in network["entries"] if entry["task"] == task}


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"|{'|'.join(row)}|" if row[0] == "---" else f"| {' | '.join(row)} |" for row in rows)
