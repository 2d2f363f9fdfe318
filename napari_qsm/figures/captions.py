"""Draft captions: what a reader must know to read the figure."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from napari_qsm._version import __version__
from napari_qsm.anatomy import DisplayFrame
from napari_qsm.clusters import least_voxels, leaves_out_clusters
from napari_qsm.colormaps import effective_window
from napari_qsm.figures.colour_bars import bar_symbol, bar_unit
from napari_qsm.figures.kinds import PanelPlan
from napari_qsm.figures.numbers import abbreviations, sided_region
from napari_qsm.figures.other_maps import OTHER_MAPS, symbol_of
from napari_qsm.figures.panels import ImagePanel, TextPanel
from napari_qsm.figures.picture import PicturePlan
from napari_qsm.figures.plans import Plan
from napari_qsm.figures.slices import Slice
from napari_qsm.recon.stages import CONTRASTS, get_method
from napari_qsm.rois.region import region_side
from napari_qsm.units import printed

_COLOURINGS = {"grey": "grey", "inverted": "inverted grey", "both sides": "two-sided colours"}


def caption(plan: Plan) -> str:
    """A caption to be edited: panels, windows, sides, regions, how the maps were made."""
    sentences = [_panels(plan), _others(plan), _windows(plan), _unlocked(plan)]
    sentences += [_sides(plan), _regions(plan)]
    sentences += [_marks(plan), _numbers(plan), _drawing(plan), _made(plan)]
    return " ".join(sentence for sentence in sentences if sentence)


def final_caption(plan: Plan) -> str:
    """The spec's own caption, or a draft.

    What a reader must not miss is added to a caption of one's own that lacks it: which side
    is which where no panel has letters, and windows that differ from those of the others.
    """
    own = plan.spec.caption.strip()
    if not own:
        return caption(plan)
    needed = [_unlocked(plan)]
    if not any(one.panel.orientation_letters for one in plan.pictures):
        needed.append(_sides(plan))
    return " ".join([own, *(said for said in needed if said and said not in own)])


def _panels(plan: Plan) -> str:
    """What each panel shows; panels up to the next letter are told together."""
    groups: list[tuple[str, list[PanelPlan]]] = []
    for one in plan.panels:
        if one.panel.letter or not groups:
            groups.append((one.panel.letter, []))
        groups[-1][1].append(one)
    said = []
    for letter, group in groups:
        text = "; ".join(_group(group))
        if text:
            said.append(f"{_letter(letter)}{text[0].upper() + text[1:]}.")
    return " ".join(said)


def _group(group: list[PanelPlan]) -> list[str]:
    slices: dict[tuple[str, ...], list[Slice]] = {}
    known = True
    out = []
    for one in group:
        if isinstance(one, PicturePlan):
            title = one.panel.title if one.panel.title != one.map.name else ""
            below = ""
            if one.over is not None:
                below = " over its own grey" if one.over is one.map else f" over {one.over.name}"
            lines = ", with regions" if one.panel.regions is not None else ""
            if isinstance(one.panel, ImagePanel) and one.panel.shapes:
                lines += ", with fixed shapes"
            key = (title, one.map.name, one.panel.plane, f"{_colouring(one)}{below}{lines}")
            slices.setdefault(key, []).extend(one.slices)
            known &= one.map.volume.orientation_known
        elif phrase := one.phrase():
            out.append(phrase)
    endings = {key[3] for key in slices}
    for title, name, plane, how in slices:
        found = slices[title, name, plane, how]
        text = f"{title}: " if title else ""
        text += f"{name}, {plane} {_places(found, known)}"
        out.append(text + (f", {how}" if len(endings) > 1 else ""))
    if len(endings) == 1:
        out[-1] += f"; {endings.pop()}"
    return out


def in_words(one: PanelPlan, words: Mapping[str, str]) -> str:
    """What a panel shows, for somebody who hears it; ``words`` as the spec's ``called``."""
    said = "; ".join(_group([one])) or one.sentence() or one.panel.noun
    letter = f"Panel {one.panel.letter}: " if one.panel.letter else ""
    if not isinstance(one, PicturePlan):
        return letter + said[0].upper() + said[1:]
    if one.labels is not None:
        there = dict.fromkeys(n for where in one.slices for n in one.region_slices(where, True))
        regions = [one.labels.regions.get(label) for label in there]
        names = [
            sided_region(one.labels.region_called(label), region_side(region), words)
            for label, region in zip(there, regions, strict=True)
        ]
        said += f": {', '.join(name[0].lower() + name[1:] for name in names)}" if names else ""
    if isinstance(one.panel, ImagePanel):
        marks = [
            f"{m.kind} at {m.meaning or m.text}"
            for m in one.panel.annotations
            if m.meaning or m.text
        ]
        said += "".join(f"; {mark}" for mark in dict.fromkeys(marks))
    return letter + said


def title_of(plan: Plan) -> str:
    """What a figure is called in a PDF: its maps, else its first panel."""
    maps = list(dict.fromkeys(one.map.name for one in plan.pictures))
    if maps:
        return f"Figure: {', '.join(maps)}"
    titles = [one.panel.title or one.phrase() or one.panel.noun for one in plan.panels]
    return f"Figure: {titles[0]}"


def _others(plan: Plan) -> str:
    """What the maps beside χ are."""
    used = dict.fromkeys(plan.spec.sources[p.map.key].quantity for p in plan.pictures
                         if p.map.key in plan.spec.sources)  # fmt: skip
    known = [OTHER_MAPS[quantity] for quantity in used if quantity]
    said = "; ".join(f"{one.symbol}, {one.meaning}" for one in known)
    return f"{said}." if said else ""


def _places(slices: list[Slice], known: bool) -> str:
    places = list(dict.fromkeys(s.text if known else f"number {s.index + 1}" for s in slices))
    if len(places) > 4:
        return f"slices, {len(places)} from {places[0]} to {places[-1]}"
    return f"slice{'s' if len(places) > 1 else ''} {', '.join(places)}"


def _letter(letter: str) -> str:
    return f"({letter}) " if letter else ""


def _colouring(one: PicturePlan) -> str:
    display = one.display
    if display.colouring == "colour":
        return f"in colour ({display.colormap})"
    return f"in {_COLOURINGS[display.colouring]}"


def _span(one: PicturePlan, plan: Plan, window: tuple[float, float]) -> str:
    unit = printed(bar_unit(plan, one.panel.display))
    factor = 1e3 if unit == "ppb" else 1.0
    low, high = effective_window(one.display.model_copy(update={"window": window}))
    low, high = low * factor, high * factor
    return f"{low:g} to {high:g}{' ' + unit if unit else ''}".replace("-", "−")


def _windows(plan: Plan) -> str:
    first = {one.panel.display: one for one in reversed(plan.pictures)}
    said = []
    several = len({bar_symbol(plan, name) for name in first}) > 1
    for one in sorted(first.values(), key=lambda p: plan.pictures.index(p)):
        text = f"{_COLOURINGS.get(one.display.colouring, 'colour')}: "
        if several:
            text = f"{bar_symbol(plan, one.panel.display)}, {text}"
        text += _span(one, plan, one.display.window)
        factor = 1e3 if bar_unit(plan, one.panel.display) == "ppb" else 1.0
        low, high = one.display.threshold_low, one.display.threshold_high
        size = "absolute values" if one.display.colouring == "both sides" else "values"
        if low is not None:
            text += f", {size} below {low * factor:g} not shown".replace("-", "−")
        if high is not None:
            text += f", {size} above {high * factor:g} not shown".replace("-", "−")
        if leaves_out_clusters(one.display):
            least = one.display.smallest_cluster_mm3
            count = least_voxels(least, float(np.prod(one.map.volume.voxel_size_mm)))
            text += (
                f", nor clusters smaller than {least:g} mm³ ({count} voxel{'s' * (count > 1)} that "
                "share faces, in 3-D)"
            )
        said.append(text)
    return f"Window {'; '.join(said)}." if said else ""


def _unlocked(plan: Plan) -> str:
    own = [p for p in plan.pictures if p.panel.unlocked_window is not None]
    said = [f"{p.who[0].lower() + p.who[1:]}: {_span(p, plan, p.window)}" for p in own]
    return f"Panels with a window of their own: {'; '.join(said)}." if said else ""


def _sides(plan: Plan) -> str:
    pictures = plan.pictures
    if not pictures:
        return ""
    if not all(p.map.volume.orientation_known for p in pictures):
        return "The files do not say how the patient lay, so sides are unknown (?)."
    across = any(p.panel.plane != "sagittal" for p in pictures)
    sagittal = any(p.panel.plane == "sagittal" for p in pictures)
    said = []
    if across:
        side = "left" if plan.spec.radiological else "right"
        view = "radiological" if plan.spec.radiological else "neurological"
        said.append(f"The patient's right is on the {side} of the page ({view} view).")
    if sagittal:
        said.append("In sagittal slices the front of the head is on the left.")
    if any(p.panel.orientation_letters for p in pictures):
        said.append("R, right; L, left; A, front; P, back; S, top; I, bottom.")
    return " ".join(said)


def _regions(plan: Plan) -> str:
    names: list[str] = []
    by_side = False
    for one in plan.pictures:
        if one.labels is None or one.panel.regions is None:
            continue
        for label in one.shown:
            region = one.labels.regions.get(label)
            names.append(
                sided_region(one.labels.region_called(label), region_side(region), plan.spec.called)
            )
        by_side |= one.panel.regions.colours == "side" and not one.panel.regions.own_colours
    if not names:
        return " ".join(plan.left_out())
    unique = list(dict.fromkeys(names))
    listed = ", ".join(name[0].lower() + name[1:] for name in unique[:8])
    more = f" and {len(unique) - 8} more" if len(unique) > 8 else ""
    colours = " Regions on the right are orange, on the left blue." if by_side else ""
    said = f"Regions drawn: {listed}{more}.{colours}{_short_names(plan)}"
    return " ".join([said, *plan.left_out()])


def _short_names(plan: Plan) -> str:
    """What short names mean, unless words on the figure tell it."""
    named = [
        one.labels.regions[label]
        for one in plan.pictures
        if one.labels is not None and one.panel.regions and one.panel.regions.names == "short"
        for label in one.shown
        if label in one.labels.regions
    ]
    meant = abbreviations(named, plan.spec.called)
    told = any(isinstance(panel, TextPanel) and meant in panel.text for panel in plan.spec.panels)
    return f" {meant}." if meant and not told else ""


def _marks(plan: Plan) -> str:
    marks = [
        mark
        for one in plan.pictures
        if isinstance(one.panel, ImagePanel)
        for mark in one.panel.annotations
    ]
    said: dict[str, list[str]] = {}
    for mark in marks:
        if mark.meaning:
            said.setdefault(mark.kind, []).append(mark.meaning)
    return " ".join(
        f"{kind.capitalize()}s: {', '.join(dict.fromkeys(words))}." for kind, words in said.items()
    )


def _numbers(plan: Plan) -> str:
    """What panels say of their numbers; of sentences that begin alike, the longest."""
    said = dict.fromkeys(sentence for one in plan.panels if (sentence := one.sentence()))
    longest = [one for one in said if not any(o != one and o.startswith(one) for o in said)]
    return " ".join(longest)


def _drawing(plan: Plan) -> str:
    said = []
    if plan.pictures:
        smooth = [p for p in plan.pictures if p.display.interpolation != "nearest"]
        if not smooth:
            said.append("Voxels are drawn without interpolation.")
        else:
            said.append("Voxels are drawn with linear interpolation of colours.")
    if any(DisplayFrame(p.map.volume).obliquity_deg > 0.5 for p in plan.pictures):
        said.append(
            "Slices are those of the scan, which is tilted; positions are of their middles."
        )
    return " ".join(said)


def _made(plan: Plan) -> str:
    """Pipeline and program, from the first map that tells how it was made."""
    said = f"Drawn with napari-qsm {__version__}."
    maps = {id(p.map): p.map for p in plan.pictures}
    told = [m.provenance for m in maps.values() if m.provenance.get("stages")]
    if not told:
        return said
    steps = []
    try:
        for stage in told[0]["stages"]:
            if stage["stage"] in ("unwrap", "background", "inversion", "reference"):
                method = get_method(stage["stage"], stage["method"])
                cited = f" [{'; '.join(method.references)}]" if method.references else ""
                steps.append(f"{_STEPS[stage['stage']]} {method.title}{cited}")
    except (ValueError, KeyError, TypeError):
        return said
    version = told[0].get("software", {}).get("napari-qsm", __version__)
    return f"Maps: napari-qsm {version}, {', '.join([*steps, *_made_beside(plan)])}. {said}"


def _made_beside(plan: Plan) -> list[str]:
    """The methods of maps beside χ."""
    out: dict[str, None] = {}
    for one in plan.pictures:
        source = plan.spec.sources.get(one.map.key)
        symbol = symbol_of(source)
        for stage in one.map.provenance.get("stages", ()):
            if source is None or not symbol or stage.get("stage") != CONTRASTS:
                continue
            method = get_method(CONTRASTS, stage["method"])
            if any(re.fullmatch(f"{source.quantity}(_ppm|_per_s)?", name) for name in method.gives):
                cited = f" [{'; '.join(method.references)}]" if method.references else ""
                title = "" if method.title == symbol else f": {method.title}"
                out[f"{symbol}{title}{cited}"] = None
    return list(out)


_STEPS = {
    "unwrap": "unwrapping:",
    "background": "background removal:",
    "inversion": "inversion:",
    "reference": "reference:",
}
