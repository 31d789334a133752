"""``--set key=value``: single settings laid over a document."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence

from consensus_onnx.config.reading import Document, parse_value
from consensus_onnx.config.values import shown
from consensus_onnx.errors import ConfigError

_ITEM = re.compile(r"\s*(?P<key>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)\s*=(?P<value>.*)", re.DOTALL)


def override(document: Document, items: Sequence[str]) -> Document:
    """Lay single settings over a document; later ones win.

    Parameters
    ----------
    document : Document
        The document; it is not changed.
    items : sequence of str
        Settings as ``dotted.key=value``, the value in YAML (``200``, ``null``, ``[224, 224]``). Sections that do not
        exist are created.

    Returns
    -------
    Document
        The new document, in which such keys stand at the place ``--set dotted.key``.

    Raises
    ------
    ConfigError
        If items are malformed or go through a value that is not a section; all of them are told.

    Examples
    --------
    >>> override(Document({"lime": {"samples": 1000}}), ["lime.samples=200", "canvas.crop=227"]).values
    {'lime': {'samples': 200}, 'canvas': {'crop': 227}}
    """
    values, lines = copy.deepcopy(document.values), dict(document.lines)
    problems: list[str] = []
    for item in items:
        match = _ITEM.fullmatch(item)
        if match is None:
            problems.append(f"--set {shown(item)}: must be dotted.key=value, for example --set lime.samples=200")
            continue
        key = match["key"]
        place = f"--set {key}"
        try:
            value = parse_value(match["value"].strip(), place)
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        *sections, name = key.split(".")
        section = values
        for depth, part in enumerate(sections, start=1):
            dotted = ".".join(sections[:depth])
            if section.get(part) is None:
                section[part] = {}
                lines[dotted] = place
            if not isinstance(section[part], dict):
                problems.append(f"{place}: {dotted!r} is {shown(section[part])}, not a section that can hold keys")
                break
            section = section[part]
        else:
            section[name] = value
            # Lines of what the new value replaces no longer hold.
            for old in [known for known in lines if known.startswith((f"{key}.", f"{key}["))]:
                del lines[old]
            lines[key] = place
    if problems:
        raise ConfigError(problems)
    return Document(values, lines, document.source)
