"""`consensus-onnx audit`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from consensus_onnx.cli.app import EXIT_INCOMPLETE


@click.command("audit")
@click.argument("models", type=click.Path(path_type=Path))
@click.option("--images", type=click.Path(path_type=Path), required=True, help="Folder of pictures.")
@click.option("--labels", type=click.Path(path_type=Path), help="CSV with the columns file,label[,mask][,split].")
@click.option("--masks", type=click.Path(path_type=Path), help="Folder of object masks (nonzero is object).")
@click.option("--classes", type=click.Path(path_type=Path), help="File of class names, one per line.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Run folder; an unfinished one is taken up."
)
@click.option("--explainer", "explainers", multiple=True, help="lime or smoothgrad; may be repeated.  [default: both]")
@click.option("--limit", type=int, help="Take the first N images; a later, larger limit reuses the work.")
@click.option("--target", help="Class that is explained: predicted, label, majority, or an index.")
@click.option("--seed", type=int, help="Of everything random.")
@click.option("--provider", help="auto, cpu or cuda; cuda fails where no GPU can be used.")
@click.option("--workers", type=int, help="Members side by side.")
@click.option("--retry-failed", is_flag=True, help="Ask again what crashed, hung or ran out of memory before.")
@click.option("--config", type=click.Path(path_type=Path), help="YAML settings; configs/default.yaml shows every key.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="One setting, such as lime.samples=200.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON on standard output.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def audit_command(
    models: Path,
    images: Path,
    labels: Path | None,
    masks: Path | None,
    classes: Path | None,
    out: Path,
    explainers: tuple[str, ...],
    limit: int | None,
    target: str | None,
    seed: int | None,
    provider: str | None,
    workers: int | None,
    retry_failed: bool,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> None:
    """Explain every model in MODELS on every image, vote the consensus, score each model.

    Every *.onnx file takes part; a committee.yaml beside them declares what files cannot say (preprocessing, class
    offset, families). The run folder holds report.html, the tables as CSV and every explanation; running the same
    command again does only what is missing.

    \b
    consensus-onnx audit models/ --images photos/ --labels photos/labels.csv --out run/
    consensus-onnx audit models/ --images photos/ --out run/ --explainer lime --limit 20
    consensus-onnx audit models/ --images photos/ --out run/ --set lime.samples=200 --set canvas.crop=192

    Exit codes: 0 done, 2 nothing could be done, 3 done but some models or images failed, 130 interrupted (the same
    command goes on).
    """
    from consensus_onnx.cli.progress import progress_listener
    from consensus_onnx.cli.settings import audit_settings
    from consensus_onnx.cli.summary import print_json, print_summary
    from consensus_onnx.committee import load_committee
    from consensus_onnx.engine.audit import audit
    from consensus_onnx.images import read_dataset
    from consensus_onnx.report import write_report

    options = {
        "explainers": list(explainers) or None,
        "limit": limit,
        "target": target,
        "seed": seed,
        "runtime.provider": provider,
        "engine.workers": workers,
    }
    settings = audit_settings(config, overrides, options)
    committee = load_committee(models)
    dataset = read_dataset(images, labels, masks=masks, classes=classes or committee.classes)
    with progress_listener(quiet=quiet or as_json) as listen:
        run = audit(committee, dataset, out=out, settings=settings, listen=listen, retry_failed=retry_failed)
    write_report(run)
    if as_json:
        print_json(run)
    elif not quiet:
        print_summary(run)
    if run.failed_images or any(member.status != "ok" for member in run.members):
        sys.exit(EXIT_INCOMPLETE)
