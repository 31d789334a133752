"""Train the embedded committee from seeds: `python -m consensus_onnx_zoo.train --out DIR`. Needs the extra `zoo`.

Members that are done are skipped, so an ended run is taken up by the same command; two side by side share the work.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from consensus_onnx_zoo.training.describe import write_description
from consensus_onnx_zoo.training.members import RECIPES, Recipe
from consensus_onnx_zoo.training.session import Session, Trained


def main() -> None:
    """Train what is asked for and is not there yet."""
    names = [recipe.name for recipe in RECIPES]
    parser = argparse.ArgumentParser(prog="python -m consensus_onnx_zoo.train", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="committee folder")
    parser.add_argument("--work", type=Path, help="folder for what can be made again (default: OUT/work)")
    parser.add_argument("--only", nargs="+", choices=names, metavar="MEMBER", help="train these, not all")
    parser.add_argument("--threads", type=int, default=1, help="of one session (default: 1)")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    session = Session(chosen.out, chosen.work or chosen.out / "work")
    recipes = [recipe for recipe in RECIPES if not chosen.only or recipe.name in chosen.only]
    console = Console()
    session.draw()
    for recipe in recipes:
        if session.finished(recipe) is None:
            _train(session, recipe, console)
    done = [trained for recipe in RECIPES if (trained := session.finished(recipe))]
    write_description(session.out, done, session.twins())
    console.print(_table(done))


def _train(session: Session, recipe: Recipe, console: Console) -> None:
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(recipe.name, total=max(1, recipe.steps))

        def tell(step: int, loss: float, speed: float) -> None:
            text = f"{recipe.name}  loss {loss:.3f}  {speed:.0f} pictures/s"
            progress.update(task, completed=step, description=text)
            if not console.is_terminal and step % 200 == 0:
                console.print(f"{text}  {step}")

        trained = session.train(recipe, tell)
    if trained is None:
        console.print(f"{recipe.name}: another session is at it")
    else:
        console.print(f"{recipe.name}: accuracy {trained.accuracy:.3f}, {trained.seconds:.0f} s")


def _table(members: list[Trained]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("member", "family"):
        table.add_column(title)
    for title in ("width", "updates", "seconds", "accuracy"):
        table.add_column(title, justify="right")
    for trained in members:
        recipe = trained.recipe
        cells = (f"{recipe.width:g}", str(recipe.steps), f"{trained.seconds:.0f}", f"{trained.accuracy:.3f}")
        table.add_row(recipe.name, recipe.family, *cells)
    return table


if __name__ == "__main__":
    main()
