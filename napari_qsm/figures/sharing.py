"""A figure with everything it is drawn from, in a folder that can be given to others.

Maps and label maps are written anew: under names that tell only what they are, with headers in
which only the grid is left, and with sidecars that hold only the unit. Nothing in the folder
leads back to where the files came from.
"""

from __future__ import annotations

from pathlib import Path

from napari_qsm.errors import MetadataError
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.figures.spec_files import resolved, write_spec
from napari_qsm.io.atomic import staged_folder
from napari_qsm.io.formats import read_image
from napari_qsm.io.label_table import read_label_table, write_label_table
from napari_qsm.io.maps import read_map
from napari_qsm.io.nifti import write_volume
from napari_qsm.io.segmentation import read_labels
from napari_qsm.io.sidecar import write_sidecar
from napari_qsm.io.targets import check_out_folder

SPEC = "figure.json"


def share_figure(
    spec: FigureSpec, base: Path | str, folder: Path, *, overwrite: bool = False
) -> list[Path]:
    """Write a figure's description and its volumes into a folder of their own.

    Parameters
    ----------
    spec : FigureSpec
        The figure; all its volumes lie in files.
    base : Path or str
        Folder that its paths start from.
    folder : Path
        Made if missing.
    overwrite : bool
        Whether a figure shared earlier may be replaced.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    FileError
        If a volume cannot be read, or nothing can be written there.
    """
    check_out_folder(folder, [SPEC], overwrite=overwrite, proof=SPEC)
    sources = {}
    with staged_folder(folder, overwrite=overwrite) as staging:
        for number, (key, source) in enumerate(spec.sources.items(), start=1):
            if not source.path:
                raise MetadataError(f"The source '{key}' is in no file, so it cannot be shared.")
            name = f"{source.role}-{number}"
            path = resolved(source.path, base)
            fields = {"path": f"{name}.nii.gz", "table": "", "echo": 0}
            if source.role == "labels":
                volume, regions = read_labels(path, table=not source.table)
                if source.table:
                    regions = tuple(read_label_table(resolved(source.table, base)))
                if regions:
                    fields["table"] = f"{name}.tsv"
                    write_label_table(staging / f"{name}.tsv", regions)
            else:
                read = read_map if source.role == "map" else read_image
                volume = read(path, unit=source.unit)
                if volume.data.ndim == 4:
                    volume = volume.echo(source.echo)
            write_volume(volume, staging / f"{name}.nii.gz")
            write_sidecar(staging / f"{name}.nii.gz", {"Units": volume.unit} if volume.unit else {})
            sources[key] = source.model_copy(update=fields)
        shared = spec.model_copy(update={"sources": sources})
        write_spec(shared, staging / SPEC)
        names = sorted(path.name for path in staging.iterdir())
    return [folder / name for name in names]
