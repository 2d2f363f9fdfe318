"""Commands that turn maps into numbers and figures."""

from __future__ import annotations

from math import nan
from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_qsm.cli.terminal import note, one_number, progress, say
from napari_qsm.errors import MetadataError


def stats(
    map_: Annotated[Path, typer.Argument(metavar="MAP", help="Susceptibility map (ppm).")],
    labels: Annotated[
        Path,
        typer.Argument(help="Label map on the same grid, .seg.nrrd, or .json of fixed shapes."),
    ],
    table: Annotated[Path | None, typer.Option(help="Label names.")] = None,
    unit: Annotated[Literal["ppm", "ppb"], typer.Option(help="ppm or ppb.")] = "ppm",
    out: Annotated[Path | None, typer.Option(help="A .csv, .tsv, .xlsx or .json file.")] = None,
    percentiles: Annotated[
        bool, typer.Option("--percentiles", help="The 25th and 75th percentile as well.")
    ] = False,
    high: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LIMIT",
            help="Part of each region above a limit in the unit of the table; NAME=LIMIT for one "
            "region; can be given several times. 'controls': each region's upper 95 % limit of "
            "the controls.",
        ),
    ] = None,
    edge: Annotated[
        bool, typer.Option("--edge", help="Means without the outer layer of voxels.")
    ] = False,
    noise: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The noise map that 'reconstruct --uncertainty' wrote: standard errors of means.",
        ),
    ] = None,
    histogram: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the histogram of every region.")
    ] = None,
    bin_width: Annotated[
        float | None,
        typer.Option(
            parser=one_number, metavar="FLOAT", help="Breadth of its bins; 5 ppb unless given."
        ),
    ] = None,
    controls: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="Compare with controls: a long table, .csv .tsv .xlsx."),
    ] = None,
    group: Annotated[str, typer.Option(help="Which of its groups are the controls.")] = "",
    age: Annotated[
        float | None,
        typer.Option(parser=one_number, metavar="YEARS", help="Age of the person."),
    ] = None,
    at_age: Annotated[
        bool, typer.Option("--at-age", help="Compare with a line over the controls' ages.")
    ] = False,
    allow_mixed: Annotated[
        bool,
        typer.Option("--allow-mixed", help="Compare although the maps were made differently."),
    ] = False,
    published: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="Published values by age; iron-hallgren-sourander-1958 is known."
        ),
    ] = "",
    against: Annotated[
        Path | None, typer.Option(metavar="MAP", help="Difference from another map, with its ±.")
    ] = None,
    against_labels: Annotated[
        Path | None, typer.Option(metavar="LABELS", help="Regions of that map.")
    ] = None,
    agreement: Annotated[
        Path | None,
        typer.Option(metavar="TSV", help="agreement.tsv of a study, for how scans repeat."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a table.")] = False,
) -> None:
    """Print or write voxels, volume, mean and SD of every region."""
    from napari_qsm.rois.files import (
        check_table_out,
        histogram_table,
        region_table,
        table_text,
        write_table,
    )
    from napari_qsm.rois.high_part import high_limits
    from napari_qsm.study.table_in_context import Asked, comparison_of, with_context

    others = (table, noise, controls, against, against_labels, agreement)
    inputs = [map_, labels, *(path for path in others if path is not None)]
    if bin_width is not None and histogram is None:
        raise MetadataError("--bin-width goes with --histogram FILE.")
    for path in (out, histogram):
        if path is not None:
            check_table_out(path, overwrite=True, inputs=inputs)
    asked = Asked(
        controls=controls,
        group=group,
        age=nan if age is None else age,
        at_age=at_age,
        allow_mixed=allow_mixed,
        published=published,
        against=against,
        against_labels=against_labels,
        agreement=agreement,
    ).checked()
    if high == ["controls"]:
        limits = comparison_of(asked, map_).high_limits()
    else:
        limits = high_limits(high or [], unit)
    also = [
        *(["p25", "p75"] if percentiles else []),
        *(["high_from", "high_fraction", "high_mean", "high_voxels"] if limits else []),
        *(["inner_mean", "edge_difference", "inner_voxels"] if edge else []),
        *(["se"] if noise else []),
    ]
    frame = region_table(
        map_,
        labels,
        names_path=table,
        unit=unit,
        warn=note,
        also=also,
        high=limits,
        noise_path=noise,
        repeatability=asked.repeatability(),
    )
    frame = with_context(frame, map_, labels, asked, unit=unit, names_path=table, warn=note)
    counts = None
    if histogram is not None:
        counts = histogram_table(map_, labels, names_path=table, unit=unit, width=bin_width)
        check_table_out(histogram, overwrite=overwrite, same_as=counts)
    if out is not None:
        # Measured again, the same table is no loss; another one is only written when asked for.
        check_table_out(out, overwrite=overwrite, same_as=frame)
        write_table(frame, out)
    else:
        say(table_text(frame))
    if counts is not None and histogram is not None:
        write_table(counts, histogram)


def propose(
    map_: Annotated[Path, typer.Argument(metavar="MAP", help="Susceptibility map (ppm).")],
    out: Annotated[
        Path, typer.Option(metavar="LABELS.nii.gz", help="Label map; names go beside it.")
    ],
    magnitude: Annotated[
        Path | None, typer.Option("--magnitude", help="Finds the brain in a map without a mask.")
    ] = None,
    mask: Annotated[Path | None, typer.Option(help="Brain mask.")] = None,
    unit: Annotated[
        Literal["ppm", "ppb"] | None, typer.Option(help="Unit of the map, if its file is silent.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace label maps.")] = False,
) -> None:
    """Propose first outlines of the deep nuclei, to be looked at and corrected."""
    from napari_qsm.outlines.files import propose_file

    with progress() as report:
        written = propose_file(
            map_,
            out,
            magnitude_path=magnitude,
            mask_path=mask,
            unit=unit or "",
            overwrite=overwrite,
            progress=lambda fraction: report("outlines", fraction),
            warn=note,
        )
    say(f"Written: {', '.join(str(path) for path in written)}")


def figure(
    spec: Annotated[
        Path | None, typer.Argument(metavar="[SPEC.json]", help="A figure's JSON file.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A .png, .tiff, .pdf or .svg file.")
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            help="case-report-1, case-report-2, fixed-shape-plate, other-maps, qc-montage, "
            "methods-and-results or visits."
        ),
    ] = None,
    control: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Results of the control.")
    ] = None,
    patient: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Results of the patient.")
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE...", help="Label maps, if they lie elsewhere."),
    ] = None,
    study: Annotated[
        Path | None, typer.Option(metavar="STUDY", help="Of the template visits: the study.")
    ] = None,
    participant: Annotated[
        str, typer.Option(metavar="LABEL", help="Of the template visits: whose visits.")
    ] = "",
    rater: Annotated[
        str, typer.Option(metavar="LABEL", help="Of the template visits: whose readings.")
    ] = "",
    judged_by: Annotated[
        str,
        typer.Option(
            metavar="WHAT",
            help="Of the template visits: what changes are marked against: literature, study, or "
            "a within-subject standard deviation in ppb; nothing is marked unless given.",
        ),
    ] = "",
    save_spec: Annotated[
        Path | None, typer.Option(metavar="S.json", help="Write the figure's JSON file.")
    ] = None,
    width_mm: Annotated[
        float | None,
        typer.Option(parser=one_number, metavar="FLOAT", help="85, 114 or 174 in most journals."),
    ] = None,
    share: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Figure, maps and labels under names that tell nobody."
        ),
    ] = None,
    dpi: Annotated[int | None, typer.Option(help="Dots per inch of pictures.")] = None,
    difference: Annotated[
        bool,
        typer.Option("--difference", help="Patient less control in tables, with its uncertainty."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a figure.")] = False,
) -> None:
    """Draw a figure for a paper, from its JSON file or from a template."""
    from napari_qsm.figures.command import make_figure

    made = None
    if template == "visits":
        from napari_qsm.session.figure.visits import study_visits_figure

        if study is None or not participant:
            raise MetadataError("The template visits needs --study STUDY and --participant LABEL.")
        if spec is not None or control or patient or labels:
            raise MetadataError("The template visits takes its maps from the study alone.")
        made = study_visits_figure(study, participant, rater=rater, judged_by=judged_by)
    elif study is not None or participant or rater or judged_by:
        raise MetadataError(
            "--study, --participant, --rater and --judged-by belong to the template visits."
        )
    written = make_figure(
        out,
        spec_path=spec,
        template=None if made is not None else template,
        made=made,
        control=control,
        patient=patient,
        labels=tuple(labels or ()),
        save_spec=save_spec,
        width_mm=width_mm,
        dpi=dpi,
        difference=difference,
        share=share,
        overwrite=overwrite,
        warn=note,
    )
    say(f"Written: {', '.join(str(path) for path in written)}")
