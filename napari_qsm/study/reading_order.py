"""In which order a rater reads: by chance, but with what could be remembered far apart."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from napari_qsm.study.study_scan import Key

#: Places between two scans of one person, and between two readings of one scan.
PERSON_APART, REPEAT_APART = 5, 20
_TRIES = 60


def spread(keys: Sequence[Key], chance: random.Random) -> tuple[list[Key], list[str]]:
    """Scans in random order, those of one person and repeats of one scan far apart.

    Parameters
    ----------
    keys : sequence of (participant, session)
        A scan that stands twice is read twice.
    chance : Random
        Decides.

    Returns
    -------
    order : list of (participant, session)
    notes : list of str
        Distances that could not be kept with so few scans.
    """
    distances = [(PERSON_APART, REPEAT_APART)]
    most = max(1, len(keys) - 1)
    distances += [(PERSON_APART, r) for r in (15, 10, 7) if r < most]
    distances += [(p, max(p, 1)) for p in range(min(PERSON_APART, most), 0, -1)]
    for person_apart, repeat_apart in distances:
        for _ in range(_TRIES):
            order = _one_order(keys, person_apart, repeat_apart, chance)
            if order is not None:
                return order, _kept(keys, person_apart, repeat_apart)
    order = list(keys)
    chance.shuffle(order)
    return order, _kept(keys, 1, 1)


def _kept(keys: Sequence[Key], person_apart: int, repeat_apart: int) -> list[str]:
    notes = []
    persons = Counter(participant for participant, _ in set(keys))
    if person_apart < PERSON_APART and max(persons.values()) > 1:
        notes.append(
            f"Visits of one person lie {person_apart} places apart, as there are too few scans for "
            f"{PERSON_APART}."
        )
    if repeat_apart < REPEAT_APART and len(set(keys)) < len(keys):
        notes.append(
            f"Repeats lie {repeat_apart} places apart, as there are too few scans for {REPEAT_APART}."
        )
    return notes


def _one_order(
    keys: Sequence[Key], person_apart: int, repeat_apart: int, chance: random.Random
) -> list[Key] | None:
    """One attempt: whoever has most left to come is likelier to be next."""
    left = Counter(keys)
    persons = Counter(participant for participant, _ in keys)
    last_of_person: dict[str, int] = {}
    last_of_scan: dict[Key, int] = {}
    order: list[Key] = []
    far = -(10**9)
    for place in range(len(keys)):
        open_ = [
            key
            for key in left
            if place - last_of_person.get(key[0], far) >= person_apart
            and place - last_of_scan.get(key, far) >= repeat_apart
        ]
        if not open_:
            return None
        weights = [persons[key[0]] ** 2 * (6 if left[key] > 1 else 1) for key in open_]
        chosen = chance.choices(open_, weights)[0]
        order.append(chosen)
        last_of_person[chosen[0]] = last_of_scan[chosen] = place
        persons[chosen[0]] -= 1
        left[chosen] -= 1
        if not left[chosen]:
            del left[chosen]
    return order
