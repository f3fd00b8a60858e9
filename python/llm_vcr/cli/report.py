"""``llm-vcr report``: a run as a page."""

from __future__ import annotations

from pathlib import Path

import click

from llm_vcr.cli import screen


@click.command("report", short_help="Write the page of a run.")
@click.argument("summary", type=click.Path(exists=True, path_type=Path))
@click.argument("earlier", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document, for scripts.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("report.html"), show_default=True)
def command(summary: Path, earlier: tuple[Path, ...], output: Path, *, as_json: bool) -> None:
    """Write the page of a run: what it cost, what replay saved, what leaked, and what mends it.

    SUMMARY is the summary.json of the run, or the folder it is in (llm-vcr-report); EARLIER are those of runs before it, for a line over
    runs. The page is one file that needs no network.
    """
    from llm_vcr.reporting.headline import sentence
    from llm_vcr.reporting.page import write
    from llm_vcr.reporting.run import load

    run = load(summary)
    before = [load(path) for path in earlier]
    try:
        write(output, run, before)
    except OSError as error:
        raise click.UsageError(f"{output}: {error.strerror or error}") from None
    if as_json:
        screen.write_json({"page": screen.shown(output), "headline": sentence(run), "runs": 1 + len(before)})
    else:
        click.echo(f"{sentence(run)}\n{screen.shown(output)}")
