"""The command ``napari-qsm figure``: a figure from its file, or from a template."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_qsm.errors import FileError, MetadataError
from napari_qsm.figures.draw import Cache, render
from napari_qsm.figures.editing import with_differences
from napari_qsm.figures.parts import Source
from napari_qsm.figures.saving import check_ending
from napari_qsm.figures.spec import FigureSpec, is_spec, read_spec, resolved, write_spec
from napari_qsm.figures.subjects import Subject, subject_in
from napari_qsm.figures.templates import from_template
from napari_qsm.io.atomic import staged_folder
from napari_qsm.io.formats import read_image
from napari_qsm.io.label_table import read_label_table, write_label_table
from napari_qsm.io.maps import read_map
from napari_qsm.io.nifti import write_volume
from napari_qsm.io.segmentation import read_labels
from napari_qsm.io.sidecar import write_sidecar
from napari_qsm.io.targets import check_out_file, check_out_folder

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
            sources[key] = share_source(source, base, staging, f"{source.role}-{number}")
        shared = spec.model_copy(update={"sources": sources})
        write_spec(shared, staging / SPEC)
        names = sorted(path.name for path in staging.iterdir())
    return [folder / name for name in names]


def share_source(source: Source, base: Path | str, folder: Path, name: str) -> Source:
    """Write a volume of a figure, and its label table, into a folder under another name.

    Parameters
    ----------
    source : Source
        Lies in a file.
    base : Path or str
        Folder that its paths start from.
    folder : Path
        Must exist.
    name : str
        Of the new files, without ending.

    Returns
    -------
    Source
        With paths that start from ``folder``.

    Raises
    ------
    FileError
        If the volume cannot be read.
    """
    path = resolved(source.path, base)
    fields = {"path": f"{name}.nii.gz", "table": "", "echo": 0}
    if source.role == "labels":
        volume, regions = read_labels(path, table=not source.table)
        if source.table:
            regions = tuple(read_label_table(resolved(source.table, base)))
        if regions:
            fields["table"] = f"{name}.tsv"
            write_label_table(folder / f"{name}.tsv", regions)
    else:
        read = read_map if source.role == "map" else read_image
        volume = read(path, unit=source.unit)
        if volume.data.ndim == 4:
            volume = volume.echo(source.echo)
    write_volume(volume, folder / f"{name}.nii.gz")
    write_sidecar(folder / f"{name}.nii.gz", {"Units": volume.unit} if volume.unit else {})
    return source.model_copy(update=fields)


def make_figure(
    out: Path | None,
    *,
    spec_path: Path | None = None,
    template: str | None = None,
    made: FigureSpec | None = None,
    control: Path | None = None,
    patient: Path | None = None,
    labels: tuple[Path, ...] = (),
    save_spec: Path | None = None,
    width_mm: float | None = None,
    dpi: int | None = None,
    difference: bool = False,
    share: Path | None = None,
    overwrite: bool = False,
    warn: Callable[[str], None] | None = None,
) -> list[Path]:
    """Draw one figure and write it with its spec, caption and table.

    Parameters
    ----------
    out : Path or None
        The picture; None with ``save_spec`` writes the spec alone.
    spec_path : Path, optional
        A figure's JSON file; or
    template : str, optional
        the name of a template, with the folders of results of one or two subjects; or
    made : FigureSpec, optional
        a figure made elsewhere, with absolute paths.
    control, patient : Path, optional
        Folders that ``reconstruct`` wrote.
    labels : tuple of Path
        Label maps where they do not lie in these folders: the control's, then the patient's.
    save_spec : Path, optional
        Where to write the spec.
    width_mm, dpi : optional
        Instead of the spec's.
    difference : bool
        Add to tables how the second subject differs from the first, with the uncertainty.
    share : Path, optional
        A folder for the figure with all it is drawn from, under names that tell nobody.
    overwrite : bool
        Whether an earlier figure and spec may be replaced.
    warn : callable, optional
        Told what the user should know.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    QsmError
        If something is missing, wrong or contradictory; nothing is written then.
    """
    if sum(each is not None for each in (spec_path, template, made)) != 1:
        raise MetadataError("Give either a figure's JSON file or --template with a name.")
    if out is None and save_spec is None and share is None:
        raise MetadataError("Give --out FILE, where the figure goes.")
    inputs = [*labels, *([spec_path] if spec_path else [])]
    if out is not None:
        check_ending(out)
        check_out_file(out, overwrite=overwrite, inputs=inputs)
    if save_spec is not None:
        if save_spec.suffix.lower() != ".json":
            raise FileError(f"'{save_spec.name}' must end in .json.")
        check_out_file(save_spec, overwrite=overwrite, is_ours=is_spec, inputs=labels)
    cache = Cache()
    if spec_path is not None:
        if control or patient or labels:
            raise MetadataError(
                "--control, --patient and --labels belong to --template; a figure's JSON file "
                "names its own maps."
            )
        spec, base = read_spec(spec_path), spec_path.parent
    elif made is not None:
        spec, base = made, Path()
    else:
        assert template is not None
        spec, base = from_folders(template, control, patient, labels, cache), Path()
    if difference:
        spec = with_differences(spec)
    changes = {"width_mm": width_mm, "dpi": dpi}
    changes = {name: value for name, value in changes.items() if value is not None}
    if changes:
        spec = restyled(spec, **changes)
    written = []
    drawn = render(spec, base=base, cache=cache)
    for note in drawn.notes:
        if warn is not None:
            warn(note)
    if save_spec is not None:
        write_spec(spec, save_spec, base=base)
        written.append(save_spec)
    if share is not None:
        written += share_figure(spec, base, share, overwrite=overwrite)
    if out is not None:
        written += drawn.save(out, spare=spec_path, overwrite=overwrite)
    return written


def restyled(spec: FigureSpec, **changes: float | None) -> FigureSpec:
    """The spec with another style, checked.

    Raises
    ------
    MetadataError
        For a width or a number of dots that is impossible.
    """
    from pydantic import ValidationError

    from napari_qsm.figures.spec import Style, plain

    try:
        style = Style.model_validate({**spec.style.model_dump(), **changes})
    except ValidationError as error:
        raise MetadataError(f"The figure's {plain(error)}") from None
    return spec.model_copy(update={"style": style})


def from_folders(
    template: str,
    control: Path | None,
    patient: Path | None,
    labels: tuple[Path, ...],
    cache: Cache,
) -> FigureSpec:
    """A template's figure of one or two subjects from their folders of results."""
    people = [
        (name, folder) for name, folder in (("Control", control), ("Patient", patient)) if folder
    ]
    if not people:
        raise MetadataError("A template needs --control FOLDER, --patient FOLDER, or both.")
    if labels and len(labels) != len(people):
        raise MetadataError(
            f"Give one label map for each subject: {len(people)} subject(s), {len(labels)} "
            "label map(s)."
        )
    subjects: list[Subject] = []
    sources: dict[str, Source] = {}
    for number, (name, folder) in enumerate(people):
        subject, its = subject_in(folder, name, labels=labels[number] if labels else None)
        subjects.append(subject)
        sources |= its
    return from_template(template, subjects, sources, known=cache.loaded)
