"""``python -m benchmarks``: measure, print the table, and write ``bench-results/latest.json``."""

import os
import tempfile
from pathlib import Path

import click
from rich.console import Console

from benchmarks import machine, report
from benchmarks.measures import LONG, MEASURES
from benchmarks.stage import FULL, QUICK, Stage

_RESULTS = Path(__file__).parents[1] / "bench-results" / "latest.json"
_WIDTH = 150  # of the table where there is no terminal to ask


@click.command()
@click.option("--quick", is_flag=True, help="Seconds for each measurement: to try it, not to quote it.")
@click.option("--only", "chosen", multiple=True, type=click.Choice(list(MEASURES)), help="Only this; may be repeated.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), default=_RESULTS, show_default=True)
def main(*, quick: bool, chosen: tuple[str, ...], output: Path) -> None:
    """Measure Carekeep beside a bare server and an open store."""
    talk, out = Console(stderr=True), Console()
    if not out.is_terminal:
        out = Console(width=_WIDTH, color_system=None)
    facts = {**machine.facts(), "quick": quick}
    figures: list[report.Figure] = []
    with tempfile.TemporaryDirectory(prefix="carekeep-bench-") as folder:
        stage = Stage(Path(folder), QUICK if quick else FULL)
        for name in chosen or [name for name in MEASURES if name not in LONG]:
            talk.print(f"[dim]{name} …")
            for figure in MEASURES[name](stage):
                talk.print(f"[dim]  {figure.name}: {figure.value:,.4g} {figure.unit}", highlight=False)
                figures.append(figure)
                report.write(figures, {**facts, "load_after": round(os.getloadavg()[0], 2)}, output)
    report.show(figures, out)
    talk.print(f"Written to {output}.")


if __name__ == "__main__":
    main()
