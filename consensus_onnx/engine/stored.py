"""From a receipt and its arrays back to the explanation they hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consensus_onnx.arrays import Int32Array
from consensus_onnx.engine.store import RunStore
from consensus_onnx.explainers import Explanation, ExplanationError


def stored_explanation(
    store: RunStore,
    explainer: str,
    digest: str,
    row: int,
    receipt: Mapping[str, Any],
    segments: Int32Array | None,
) -> Explanation:
    """Return a receipted explanation, a map at the member's own input size.

    Parameters
    ----------
    store : RunStore
        Of the run.
    explainer, digest, row : str, str, int
        Which explainer, which member, which picture.
    receipt : mapping
        Of this explanation.
    segments : int32 (H, W) or None
        The superpixels the values belong to.

    Raises
    ------
    StoreError
        If the stored bytes are not the ones that were receipted.
    """
    values, error = (
        store.explanation_array(explainer, digest, row, name, receipt) for name in ("values", "standard_error")
    )
    nan = float("nan")
    return Explanation(
        explainer=explainer,
        values=values,
        segments=segments,
        target=receipt["target"],
        predicted=receipt["predicted"],
        probability=receipt["probability"],
        error=ExplanationError(
            error,
            nan if receipt["split_half"] is None else receipt["split_half"],
            nan if receipt["r2"] is None else receipt["r2"],
        ),
        samples=receipt["samples"],
    )
