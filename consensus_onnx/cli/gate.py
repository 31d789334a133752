"""`consensus-onnx gate`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from consensus_onnx.cli.app import EXIT_BROKEN, EXIT_FAILED_GATE, EXIT_INCOMPLETE

if TYPE_CHECKING:
    from consensus_onnx.gate.results import GateResult
    from consensus_onnx.gate.settings import GateFile

_EXITS = {"passed": 0, "failed": EXIT_FAILED_GATE, "incomplete": EXIT_INCOMPLETE, "broken": EXIT_BROKEN}
_FILE = click.Path(path_type=Path, allow_dash=True)
_CONDITIONS = {
    "min_score_percentile": "Least place of its score among the members, 0..100.  [default: 10]",
    "max_score_drop": "Most its consensus score may lie below the reference's.  [default: 0.03]",
    "min_similarity_to_reference": "Least cosine with the reference's explanations.  [default: 0.95]",
    "min_prediction_agreement": "Least share of equal predictions.  [default: 0.98]",
    "max_accuracy_drop": "Most its accuracy may lie below the reference's.  [default: 0.02]",
    "max_mask_ap_drop": "Most its mask AP may lie below the reference's.  [default: 0.05]",
}


def _conditions(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one option for each condition."""
    for name, text in reversed(_CONDITIONS.items()):
        command = click.option(f"--{name.replace('_', '-')}", name, metavar="NUMBER", help=text)(command)
    return command


@click.command("gate")
@click.argument("candidates", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--baseline", type=click.Path(path_type=Path), required=True, help="What `baseline freeze` wrote.")
@click.option("--reference", help="What candidates are exports of: a member of the baseline, or an .onnx file.")
@click.option("--preprocessing", type=click.Path(path_type=Path), help="YAML with input, preprocess, output.")
@click.option("--images", type=click.Path(path_type=Path), help="Pictures of a baseline frozen by reference.")
@click.option("--explainer", "explainers", multiple=True, help="Judge by this one only; may be repeated.")
@_conditions
@click.option("--seed", type=click.IntRange(min=0), help="Of everything random.  [default: the baseline's]")
@click.option("--provider", help="auto, cpu or cuda.  [default: the baseline's]")
@click.option("--config", type=click.Path(path_type=Path), help="YAML settings; configs/gate.yaml shows every key.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="One setting, such as gate.max_score_drop.lime=0.05."
)
@click.option("--junit", type=_FILE, help="Write a JUnit XML file; - is standard output, here and below.")
@click.option("--sarif", type=_FILE, help="Write a SARIF 2.1.0 file.")
@click.option("--markdown", type=_FILE, help="Write Markdown, for a pull request or a job summary.")
@click.option("--json", "as_json", type=_FILE, help="Write every number as JSON.")
@click.option("--html", type=click.Path(path_type=Path), help="Write one offline page with the worst images.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def gate_command(
    candidates: tuple[Path, ...],
    baseline: Path,
    reference: str | None,
    preprocessing: Path | None,
    images: Path | None,
    explainers: tuple[str, ...],
    seed: int | None,
    provider: str | None,
    config: Path | None,
    overrides: tuple[str, ...],
    junit: Path | None,
    sarif: Path | None,
    markdown: Path | None,
    as_json: Path | None,
    html: Path | None,
    quiet: bool,
    **conditions: str | None,
) -> None:
    """Fail if new exports look at other things than before.

    Explains only the candidates, on the pictures of a baseline. A condition fails only where it is broken with 95 %
    confidence, and by more than explaining the unchanged model again with other random numbers would show.
    Preprocessing comes from --preprocessing, else a committee.yaml beside the candidate, else its metadata, else the
    reference; the output says which.

    \b
    consensus-onnx gate model_int8.onnx --baseline baseline.zip --reference resnet
    consensus-onnx gate model_int8.onnx --baseline baseline.zip --reference model.onnx --html drift.html
    consensus-onnx gate new/*.onnx --baseline baseline.zip --min-score-percentile 25 --junit gate.xml

    Exit codes: 0 passed, 1 a condition failed, 2 something broke (a candidate that cannot be explained, too), 3 no
    condition failed but something could not be judged, 130 interrupted.
    """
    from consensus_onnx.cli.gate_summary import print_gate
    from consensus_onnx.cli.progress import progress_listener
    from consensus_onnx.gate.request import GateRequest
    from consensus_onnx.gate.running import gate
    from consensus_onnx.report.gate.documents import json_text, junit_text, markdown_text, sarif_text
    from consensus_onnx.report.gate.page import gate_page

    settings = _settings(config, overrides, conditions)
    request = GateRequest(reference, images, preprocessing, explainers, seed, _provider(provider), settings)
    with progress_listener(quiet=quiet) as listen:
        result = gate(candidates, baseline, request, listen=listen)
    makers: list[tuple[Path | None, Callable[[GateResult], str]]] = [
        (junit, junit_text),
        (sarif, sarif_text),
        (markdown, markdown_text),
        (as_json, json_text),
        (html, gate_page),
    ]
    taken = False
    for target, make in makers:
        if target is not None:
            taken |= str(target) == "-"
            _write(target, make(result))
    if not quiet and not taken:
        print_gate(result)
    for candidate in result.candidates:
        if candidate.verdict == "broken":
            from consensus_onnx.runtime.text import printable

            click.secho(f"error: {printable(f'{candidate.path}: {candidate.reason}', 3000)}", err=True, fg="red")
    sys.exit(_EXITS[result.verdict])


def _settings(config: Path | None, overrides: tuple[str, ...], conditions: dict[str, str | None]) -> GateFile:
    from consensus_onnx.config import Document, build_settings, override, read_yaml
    from consensus_onnx.gate.settings import GateFile

    document = read_yaml(config) if config is not None else Document(source="command line")
    given = [f"gate.{name}={value}" for name, value in conditions.items() if value is not None]
    document = override(document, [*overrides, *given])
    return build_settings(GateFile, document.values, lines=document.lines, source=document.source)


def _provider(name: str | None) -> Any:
    from consensus_onnx.config import build_settings
    from consensus_onnx.runtime import RuntimeSettings

    if name is None:
        return None
    place = {"provider": "--provider"}
    return build_settings(RuntimeSettings, {"provider": name}, lines=place, source="command line").provider


def _write(target: Path, text: str) -> None:
    from consensus_onnx.errors import ConfigError

    if str(target) == "-":
        click.echo(text, nl=False)
        return
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written ({error.strerror}); choose another place") from error
