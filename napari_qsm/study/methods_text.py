"""The methods section of a study, written from what its folder tells.

What the folder cannot know is marked in square brackets, to be written by whoever reports it.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from napari_qsm._version import __version__
from napari_qsm.errors import QsmError
from napari_qsm.recon.methods_text import ACQUISITION, stage_sentences
from napari_qsm.recon.stages import get_method
from napari_qsm.study.analysis_files import Analysis
from napari_qsm.study.analysis_report import p_text
from napari_qsm.study.reading_text import YOURS, reading_text
from napari_qsm.study.reliability import Measure
from napari_qsm.study.shape_agreement import POOLED
from napari_qsm.study.study_facts import Placed, StudyFacts, counted, left_out_by_plan
from napari_qsm.units import fixed, mean_sd, sizes_text

#: What is compared, to region, to measures.
Agreements = Mapping[str, Mapping[str, Sequence[Measure]]]


def methods_text(
    facts: StudyFacts, analysis: Analysis, agreements: Agreements, plan_note: str
) -> str:
    """Every paragraph under its heading.

    Parameters
    ----------
    facts : StudyFacts
    analysis : Analysis
    agreements : mapping
        Of raters and of repeats; empty where nothing was read twice.
    plan_note : str
        Whether the plan was frozen before the readings.
    """
    parts = paragraphs(facts, analysis, agreements, plan_note)
    return "\n\n".join(f"{title}\n{text}" for title, text in parts.items()) + "\n"


def paragraphs(
    facts: StudyFacts, analysis: Analysis, agreements: Agreements, plan_note: str
) -> dict[str, str]:
    """Heading to paragraph."""
    return {
        "Participants": participants(facts, analysis),
        "Acquisition": acquisition(facts),
        "Reconstruction": reconstruction(facts),
        "Reference": reference(facts),
        "Regions": regions(facts),
        "Readers and blinding": reading_text(facts),
        "Agreement": agreement(agreements),
        "Quality, exclusions and missing visits": exclusions(facts, analysis),
        "Statistical analysis": statistics(facts, analysis, plan_note),
        "Software": software(facts),
    }


def participants(facts: StudyFacts, analysis: Analysis) -> str:
    """Groups with n, age and sex, of those who were analysed."""
    said = []
    persons = analysis.cohort.persons
    for name, members in analysis.cohort.groups.items():
        its = persons.loc[members]
        mean, sd, known = counted(its["age"])
        sexes = Counter(sex for sex in its["sex"] if sex)
        text = f"{len(members)} {f'in the group {name!r}' if name else 'participants'}"
        if known:
            text += f" (age {mean_sd(mean, sd, 1)} years"
            text += f", known of {known}" if known < len(members) else ""
            text += (", " if known else " (") + ", ".join(f"{n} {s}" for s, n in sexes.items())
            text = text.rstrip(", ") + ")"
        said.append(text)
    visits = [visit for visit in analysis.cohort.visits if visit]
    text = f"Analysed were {'; '.join(said)}."
    if len(visits) > 1:
        text += f" {len(analysis.cohort.followed)} of them were followed over the visits "
        text += f"{', '.join(visits)}."
    return f"{text} {YOURS.format('setting, dates, recruitment, criteria of eligibility, ethics')}"


def acquisition(facts: StudyFacts) -> str:
    """From sidecars and provenance; ``n/a`` where they do not tell."""
    said = []
    for key, words, _ in ACQUISITION:
        values = facts.acquisition.get(key)
        if values:
            said.append(f"{words} {' / '.join(values)}")
    missing = [words for key, words, _ in ACQUISITION[:7] if key not in facts.acquisition]
    fields = _different(facts, "field_strength_t")
    if "MagneticFieldStrength" not in facts.acquisition and fields:
        said.append(f"field strength {' / '.join(f'{f:g}' for f in fields)} T")
        missing = [word for word in missing if word != "field strength"]
    for times in _different(facts, "echo_times_s"):
        listed = ", ".join(f"{1e3 * t:.4g}" for t in times)
        said.append(f"echo time{'s' if len(times) > 1 else ''} {listed} ms")
    for size in _different(facts, "voxel_size_mm"):
        said.append(f"voxels of {sizes_text(size)}")
    text = (
        f"Gradient echo, {'; '.join(said)}." if said else "Nothing is recorded of the acquisition."
    )
    return text + (f" {YOURS.format(', '.join(missing))}" if missing else "")


def _different(facts: StudyFacts, key: str) -> list[Any]:
    """Different values over the maps, in the order of their first scan."""
    out: list[Any] = []
    for scan in facts.maps.values():
        value = scan.get(key)
        if value not in (None, [], "") and value not in out:
            out.append(value)
    return out


def reconstruction(facts: StudyFacts) -> str:
    """The pipeline's own paragraph, and whether all maps were made in that way."""
    recipes, versions = _different(facts, "recipe_sha256"), _different(facts, "version")
    count = len(facts.maps)
    text = f"{count} maps were computed with napari-qsm {' / '.join(versions) or '[version n/a]'}"
    names = _different(facts, "recipe")
    text += f", recipe '{' / '.join(names)}'" if names else ""
    text += (
        ", all with the same settings." if len(recipes) == 1 else ". SETTINGS DIFFER between maps."
    )
    try:
        body, references = stage_sentences(facts.provenance.get("stages", ()))
    except (QsmError, KeyError, TypeError):  # of another version, or of another's making
        body, references = str(facts.provenance.get("methods", "")).strip(), []
    if not body:
        return f"{text} {YOURS.format('algorithms and their settings')}"
    listed = [f"[{n}] {reference}" for n, reference in enumerate(references, 1)]
    return "\n".join([f"{text} {body}", *([""] if listed else []), *listed])


def reference(facts: StudyFacts) -> str:
    """What counts as zero, and its value against the whole brain (consensus 2024, table 5)."""
    methods = _different(facts, "reference")
    if not methods:
        return YOURS.format(
            "the reference of susceptibility, and its mean ± SD against whole brain"
        )
    if len(methods) > 1:
        return f"REFERENCES DIFFER between maps: {', '.join(methods)}."
    method = methods[0]
    shift, shift_sd, n = counted(
        scan.get("reference_ppb", math.nan) for scan in facts.maps.values()
    )
    brain, brain_sd, known = counted(
        scan.get("whole_brain_ppb", math.nan) for scan in facts.maps.values()
    )
    title = _title(method)
    if method == "none":
        text = "Maps were not referenced; their zero is that of the inversion."
    elif method == "whole-mask":
        text = "Susceptibility is given relative to the mean of the whole brain mask"
        text += f" ({mean_sd(shift, shift_sd, 1)} ppb before it was subtracted; {n} maps)."
    else:
        text = f"Susceptibility is given relative to: {title[0].lower() + title[1:]}."
    if known and method != "whole-mask":
        text += (
            f" Against the mean of the whole brain, this zero lies at {mean_sd(-brain, brain_sd, 1)} "
            f"ppb (mean ± SD of {known} maps)."
        )
    elif not known and method != "whole-mask":
        text += " " + YOURS.format(
            "mean ± SD of the reference against whole brain; masks are missing"
        )
    return text


def _title(method: str) -> str:
    try:
        return get_method("reference", method).title
    except (KeyError, ValueError):
        return method


def regions(facts: StudyFacts) -> str:
    """Shapes with their sizes, painted regions, voxels and volumes; how they were placed."""
    shapes = [_measured(one, one.words) for one in facts.placed if one.words]
    painted = [_measured(one) for one in facts.placed if not one.words]
    rules = Counter(item.placement for item in facts.codes.values())
    rule = facts.protocol.placement
    text = ""
    if shapes:
        how = {
            "independent": "Each was placed by eye, without any suggestion.",
            "suggested": "A place was suggested from an atlas and accepted or corrected by the reader.",
            "carried": "The first visit's shapes were carried to later visits by a rigid transform, and "
            "accepted or corrected by the reader; visits of one participant are therefore not "
            "independent.",
        }[rule]
        text = f"Shapes of fixed size were placed: {'; '.join(shapes)}. {how} "
    if painted:
        how = {
            "independent": "Each was outlined by hand, without a first contour.",
            "suggested": "A first contour from an atlas was corrected by the reader.",
            "carried": "At first visits a contour from an atlas, at later ones the reader's own contour of "
            "the first visit, carried by a rigid transform, was corrected by the reader; visits of one "
            "participant are therefore not independent.",
        }[rule]
        text += f"Regions were painted: {'; '.join(painted)}. {how} "
    if rule != "independent" and rules.get("independent"):
        text += (
            f"{rules['independent']} readings that serve agreement were made without suggestions. "
        )
    if shapes:
        text += "Shapes keep their size and number of voxels in every head and at every visit."
    return text.rstrip()


def _measured(one: Placed, words: str = "") -> str:
    """A region with its size: "caudate (left and right): circle 6 mm, 28 voxels, 84 mm³"."""
    low, high = one.voxels
    voxels = f"{low}" if low == high else f"{low} to {high}"
    volume = fixed(one.volume_mm3[0], 0)
    if round(one.volume_mm3[0]) != round(one.volume_mm3[1]):
        volume += f" to {fixed(one.volume_mm3[1], 0)}"
    sides = " and ".join(one.sides)
    name = f"{one.name[0].lower() + one.name[1:]}{f' ({sides})' if sides else ''}"
    return f"{name}: {f'{words}, ' if words else ''}{voxels} voxels, {volume} mm³"


def agreement(agreements: Agreements) -> str:
    """ICC, SEM, limits and overlap, pooled and the range over regions."""
    if not agreements:
        return "No scan was read twice. " + YOURS.format("agreement")
    said = []
    for title, by_region in agreements.items():
        regions = [region for region in by_region if region != POOLED]
        parts = []
        for name, words, places, unit in (
            ("icc_2_1", "ICC(2,1)", 2, ""),
            ("sem", "SEM", 1, " ppb"),
            ("mdc95", "MDC95", 1, " ppb"),
            ("ba_bias", "bias", 1, " ppb"),
            ("dice", "Dice", 2, ""),
            ("distance_mm", "distance of centres", 1, " mm"),
        ):
            values = [m.value for r in regions for m in by_region[r] if m.measure == name]
            if values:
                ends = f"{fixed(min(values), places)} to {fixed(max(values), places)}"
                parts.append(f"{words} {ends}{unit}")
        counts = {m.n for r in regions for m in by_region[r] if m.measure == "icc_2_1"}
        n = f"{min(counts)} to {max(counts)}" if len(counts) > 1 else f"{max(counts, default=0)}"
        said.append(f"{title} ({n} scans; over {len(regions)} regions): {', '.join(parts)}")
    return f"{'. '.join(said)}. Intervals and each region are in agreement.tsv."


def exclusions(facts: StudyFacts, analysis: Analysis) -> str:
    """Who and what was left out, and why; which visits are missing."""
    said = [f"participant {p}: {why}" for p, why in left_out_by_plan(facts.protocol).items()]
    scans = Counter(analysis.table.excluded.values())
    scans += Counter(facts.unread.values())
    said += [f"{count} scan{'' if count == 1 else 's'}: {why}" for why, count in scans.items()]
    text = f"Left out were {'; '.join(said)}." if said else "Nothing was left out."
    verdicts = analysis.table.values.drop_duplicates(["participant", "session"])["verdict"]
    counts = Counter(verdict or "not rated" for verdict in verdicts)
    text += " Quality of the maps that were analysed: "
    text += ", ".join(f"{word} {n}" for word, n in counts.items()) + "."
    if analysis.without_doubtful:
        text += " The analysis was repeated without doubtful maps."
    missing = [note for note in analysis.notes() if note.startswith("Missing visits")]
    text += (
        f" {missing[0]}" if missing else " No visit of a participant who was followed is missing."
    )
    return (
        f"{text} {YOURS.format('the threshold of artefacts at which a map was called a failure')}"
    )


def statistics(facts: StudyFacts, analysis: Analysis, plan_note: str) -> str:
    """The tests that were made, from their names in the results."""
    plan = analysis.plan
    made = {row.test for row in analysis.rows}
    questions = {row.question for row in analysis.rows}
    said = []
    if "group" in questions:
        said.append("Groups were compared at the first visit by Welch's t test with Hedges g, beside "
                    "the Mann-Whitney test")  # fmt: skip
        if "ols_adjusted" in made:
            held = " and ".join(plan.covariates)
            said[-1] += f", and by least squares adjusted for {held} (also with HC3 errors)"
    if "rm_anova" in made:
        text = "Visits were compared by one-way repeated-measures ANOVA with partial η² and the "
        text += "correction of Greenhouse and Geisser"
        text += ", beside Friedman's test" if "friedman" in made else ""
        said.append(text)
    if "mixed" in made:
        which = " as the main test, as visits are missing" if "mixed_complete_case" in made else ""
        said.append(
            f"a linear mixed model (REML, random intercept of the participant, Wald z) took all "
            f"observations{which}"
        )
    if "posthoc" in questions:
        said.append(
            "pairs of visits were compared by paired t tests with d_z, corrected over the pairs "
            "(Bonferroni; Holm beside it), and by Wilcoxon's test"
        )
    if "correlation" in questions:
        scores = ", ".join(map(str, analysis.cohort.scores.columns))
        said.append(
            f"changes of χ were correlated with improvement of {scores} (Pearson's r with Fisher's "
            "interval; Spearman's ρ; partial r with the first value and age held)"
        )
    family = len(analysis.cohort.regions)
    how = {"fdr": "the false discovery rate (Benjamini-Hochberg)", "holm": "Holm's correction",
           "bonferroni": "Bonferroni's correction", "none": "no correction"}[plan.correction]  # fmt: skip
    sides = (
        "Sides were averaged" if plan.sides == "averaged" else "Each side is a region of its own"
    )
    text = ". ".join(part[0].upper() + part[1:] for part in said)
    text += (
        f". {sides}. {how[0].upper() + how[1:]} over {family} regions decided; uncorrected p stand "
    )
    text += f"beside. Two-sided, α {plan.alpha:g}, intervals 95 %."
    least = [row for row in analysis.rows if row.test == "smallest_change"]
    if least:
        low, high = (f(row.outcome.estimate for row in least) for f in (min, max))
        text += (
            f" With these numbers, a change of {fixed(low, 1)} to {fixed(high, 1)} ppb (by region) would "
            f"have been seen with {plan.power:.0%} power."
        )
    shapiro = [row for row in analysis.rows if "use the rank test" in row.note]
    if shapiro:
        names = ", ".join(dict.fromkeys(row.region for row in shapiro))
        text += (
            f" Residuals are not normal (Shapiro-Wilk p < {p_text(0.01)}) in {names}: there the "
        )
        text += "rank test counts."
    return f"{text} {plan_note}"


def software(facts: StudyFacts) -> str:
    """Versions."""
    made = facts.provenance.get("software")
    libraries = made if isinstance(made, dict) else {}
    listed = ", ".join(f"{k} {v}" for k, v in libraries.items() if k != "napari-qsm")
    python = ".".join(map(str, sys.version_info[:3]))
    text = f"napari-qsm {__version__} (analysis), Python {python}"
    return f"{text}; maps with {listed}." if listed else f"{text}."
