"""The verbs and their options. Bodies are imported when a verb runs, so that ``--help`` is quick."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from scrutiq import __version__

__all__ = ["app"]

app = typer.Typer(
    name="scrutiq",
    help="Judge medical images as a radiologist would, and show the measurements behind every claim.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class AssessFormat(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    HTML = "html"


class TextFormat(StrEnum):
    TABLE = "table"
    JSON = "json"


Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="Files, folders (searched recursively), a DICOMDIR, a zip, or a CSV/JSONL manifest of cases.",
        show_default=False,
    ),
]
Rubrics = Annotated[
    list[str] | None,
    typer.Option("--rubric", "-r", metavar="NAME|FILE", help="Scale to judge on; repeat for several. [by modality]"),
]
AssessorOption = Annotated[
    str | None, typer.Option("--assessor", "-a", metavar="URI", help="Who judges. [the best local one]")
]
ModalityOption = Annotated[
    str | None,
    typer.Option(
        metavar="CT|MR|XA|fundus|endoscopy|histopathology", help="What the images are, where the files do not say."
    ),
]
WindowOption = Annotated[
    str | None, typer.Option(metavar="C,W", help="Display window: centre and width, in the unit of the image.")
]
SpacingOption = Annotated[
    str | None, typer.Option(metavar="MM", help="Distance between pixels in mm: one number, or ROW,COLUMN.")
]


def _version(show: bool) -> None:
    if show:
        typer.echo(f"scrutiq {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it and exit.")
    ] = False,
) -> None:
    pass


@app.command(no_args_is_help=True)
def assess(
    inputs: Inputs,
    rubric: Rubrics = None,
    assessor: AssessorOption = None,
    role: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE=PATH", help="An image beside the target: reference, mask, contrast or other."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write report.html, JSON and CSV here.")] = None,
    format: Annotated[
        AssessFormat, typer.Option(help="What stdout shows; parquet and html need --out.")
    ] = AssessFormat.TABLE,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Processes.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run that --out holds.")] = False,
    show_paths: Annotated[
        bool, typer.Option("--show-paths", help="Write paths to files too. A path can identify a patient.")
    ] = False,
    detail: Annotated[int, typer.Option(min=0, metavar="N", help="Cases that the HTML report shows in full.")] = 60,
    modality: ModalityOption = None,
    window: WindowOption = None,
    spacing: SpacingOption = None,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your site's own scale, from `scrutiq calibrate`.")
    ] = None,
) -> None:
    """Judge images: score, level, findings, measurements and a written report."""
    from scrutiq.cli import assess as verb

    status = verb.run(
        inputs=inputs,
        rubrics=rubric or [],
        assessor=assessor,
        roles=role or [],
        out=out,
        format=format,
        jobs=jobs,
        resume=resume,
        show_paths=show_paths,
        detail=detail,
        modality=modality,
        window=window,
        spacing=spacing,
        calibration=calibration,
    )
    raise typer.Exit(status)


@app.command(no_args_is_help=True)
def calibrate(
    scores: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Your ratings: CSV, JSON or JSONL of id and a column for each dimension."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the calibration goes, JSON.")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT",
            help="The rated images, as for assess. [those of the column `target` of --scores]",
            show_default=False,
        ),
    ] = None,
    rubric: Annotated[str | None, typer.Option("--rubric", "-r", metavar="NAME|FILE", help="[by modality]")] = None,
    assessor: AssessorOption = None,
    role: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE=PATH", help="An image beside the target: reference, mask, contrast or other."),
    ] = None,
    id: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of --scores that holds the id. [id, case or file]")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column of --scores whose equal values belong together: patient."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Record the map even where it was not shown to help.")] = False,
    seed: Annotated[int, typer.Option(help="Of the folds and the bootstrap.")] = 0,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Processes.")] = 1,
    modality: ModalityOption = None,
    window: WindowOption = None,
    spacing: SpacingOption = None,
    format: Annotated[TextFormat, typer.Option(help="What stdout shows.")] = TextFormat.TABLE,
) -> None:
    """Fit your site's own scale from 20 to 50 ratings, and say by cross-validation whether it helps."""
    from scrutiq.cli import calibrate as verb

    verb.run(
        ratings=scores,
        out=out,
        inputs=inputs or [],
        rubric=rubric,
        assessor=assessor,
        roles=role or [],
        id_column=id,
        group_column=group,
        keep=keep,
        seed=seed,
        jobs=jobs,
        modality=modality,
        window=window,
        spacing=spacing,
        format=format,
    )


@app.command(no_args_is_help=True)
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="One image.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The other.")],
    rubric: Annotated[str | None, typer.Option("--rubric", "-r", metavar="NAME|FILE", help="[by modality]")] = None,
    assessor: AssessorOption = None,
    format: Annotated[TextFormat, typer.Option(help="What stdout shows.")] = TextFormat.TABLE,
    modality: ModalityOption = None,
    window: WindowOption = None,
    spacing: SpacingOption = None,
) -> None:
    """Say which of two images is better, and why."""
    from scrutiq.cli import compare as verb

    verb.run(a, b, rubric, assessor, format, modality, window, spacing)


@app.command()
def rubrics(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME|FILE]", help="One rubric to show, or a file to check.")
    ] = None,
    format: Annotated[TextFormat, typer.Option(help="What stdout shows.")] = TextFormat.TABLE,
) -> None:
    """List the rubrics, show one, or check a file of your own."""
    from scrutiq.cli import rubrics as verb

    raise typer.Exit(verb.run(name, format))


@app.command()
def degradations(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One degradation to show.")] = None,
    modality: Annotated[
        str | None, typer.Option(metavar="MODALITY", help="Only those that can befall its images.")
    ] = None,
    format: Annotated[TextFormat, typer.Option(help="What stdout shows.")] = TextFormat.TABLE,
) -> None:
    """List the degradations, or show how one is made, measured and named."""
    from scrutiq.cli import degradations as verb

    verb.run(name, modality, format)


@app.command(no_args_is_help=True)
def degrade(
    image: Annotated[Path, typer.Argument(metavar="INPUT", help="An image; a volume for a degradation of volumes.")],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Degradation; `scrutiq degradations` lists them.")],
    severity: Annotated[float, typer.Option(metavar="S", help="From 0, as it is, to 1, the worst.")],
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help=".tif keeps the stored unit as float32, .npy too; .png is as displayed."),
    ],
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="The same seed gives the same fault.")] = 0,
    frame: Annotated[int | None, typer.Option(metavar="N", help="Which image of a file of several, from 0.")] = None,
    modality: ModalityOption = None,
    window: WindowOption = None,
    spacing: SpacingOption = None,
    format: Annotated[TextFormat, typer.Option(help="What stdout shows.")] = TextFormat.TABLE,
) -> None:
    """Degrade an image by the physics of one fault, at a severity, from a seed."""
    from scrutiq.cli import degrade as verb

    verb.run(image, name, severity, out, seed, frame, modality, window, spacing, format)


dataset = typer.Typer(help="Build data sets from recipes, say what one holds, and check it.", no_args_is_help=True)
app.add_typer(dataset, name="dataset")


@dataset.command("build", no_args_is_help=True)
def dataset_build(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Name of a shipped recipe, or a YAML file.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="An empty or new folder; with --resume that of a build.")],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the base images. [SCRUTIQ_SHARED/data]")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Processes.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted build stopped.")] = False,
) -> None:
    """Build the data set of a recipe: images, manifest, published layout, data card."""
    from scrutiq.cli import dataset as verb

    raise typer.Exit(verb.build(recipe, out, data, jobs, resume))


@dataset.command("info", no_args_is_help=True)
def dataset_info(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A data set that was built.")],
    format: Annotated[TextFormat, typer.Option(help="What stdout shows.")] = TextFormat.TABLE,
) -> None:
    """Show the data card of a data set."""
    from scrutiq.cli import dataset as verb

    verb.info(folder, format)


@dataset.command("check", no_args_is_help=True)
def dataset_check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A data set that was built.")],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the base images. [SCRUTIQ_SHARED/data]")
    ] = None,
    format: Annotated[TextFormat, typer.Option(help="What stdout shows.")] = TextFormat.TABLE,
) -> None:
    """Verify a data set: files, labels, splits, answers, and that its images can be made again."""
    from scrutiq.cli import dataset as verb

    raise typer.Exit(verb.check(folder, data, format))


@app.command(no_args_is_help=True)
def agree(
    pred: Annotated[Path, typer.Argument(metavar="PRED", help="CSV, JSON or JSONL of id and score(s).")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="The same, from readers.")],
    id: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column that holds the id. [id, case or file]")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Score column; repeat for several. [all in common]")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column of TRUTH (or PRED) whose equal values are resampled together."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    format: Annotated[TextFormat, typer.Option(help="What stdout shows.")] = TextFormat.TABLE,
) -> None:
    """Measure the agreement of scores with readers: PLCC, SROCC, KROCC, RMSE, MAE with 95 % intervals."""
    from scrutiq.cli import agree as verb

    verb.run(pred, truth, id, column, cluster, seed, format)


@app.command()
def doctor(format: Annotated[TextFormat, typer.Option(help="What stdout shows.")] = TextFormat.TABLE) -> None:
    """Show what is installed, what is missing and how to get it."""
    from scrutiq.cli import doctor as verb

    raise typer.Exit(verb.run(format))
