"""`penchant export`: a finished run's scoring path as one ONNX file."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.errors import EnvironmentMissing


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    out: Annotated[
        Path | None, typer.Option(help="The file to write; score.onnx in the run directory unless given.")
    ] = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Write what scores items, with the catalogue, for `penchant.score` or any ONNX runtime. Nobody's data is in it."""
    try:
        from penchant.client.score_graph import write_score_graph
    except ModuleNotFoundError as error:
        raise EnvironmentMissing(f"an export needs {error.name}: pip install 'penchant[client]'") from error
    from penchant.interest import TensorLayout
    from penchant.rundir import RunDirectory
    from penchant.simulation.run import load_run

    del debug
    directory = RunDirectory.existing(run)
    finished = load_run(directory)
    serving, catalogue = finished.serving, finished.world.dataset.catalogue
    path = out or run / "score.onnx"
    TensorLayout.shared(serving.model).write(serving.model, serving.head)
    made_of = (directory.shared_path, directory.company_path)
    origin = hashlib.sha256(b"".join(p.read_bytes() for p in made_of if p.is_file())).hexdigest()
    write_score_graph(
        path,
        serving.model,
        catalogue,
        max_history=serving.max_history,
        origin=origin,
        belongs_to=origin,
        company=serving.company,
        head_weight=serving.head_weight,
    )
    record = {"file": str(path), "items": len(catalogue), "bytes": path.stat().st_size, "head": origin}
    Output(fmt, quiet=quiet).result(record, f"{path}: {len(catalogue)} items, {path.stat().st_size:,} bytes")
