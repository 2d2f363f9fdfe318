"""A person's verdict on a reconstruction, kept beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_qsm._version import __version__
from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.atomic import write_text

Verdict = Literal["pass", "doubtful", "fail"]
VERDICTS: tuple[Verdict, ...] = ("pass", "doubtful", "fail")
RATING_FILE = "rating.json"


class Rating(BaseModel):
    """One verdict.

    Attributes
    ----------
    verdict : {"pass", "doubtful", "fail"}
    comment : str
        Why; may be empty.
    rater : str
        Who judged; initials will do.
    rated_at : datetime
        When, with its time zone.
    software_version : str
        Of the program the map was judged in.
    chi_sha256 : str
        Of the map that was judged; see :func:`napari_qsm.qc.quality.map_checksum`. A later
        map in the same folder does not inherit the verdict.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    verdict: Verdict
    comment: str = ""
    rater: str = Field(min_length=1)
    rated_at: datetime
    software_version: str
    chi_sha256: str = ""


class RatingHistory(BaseModel):
    """Every verdict on the results of one folder, the latest last."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ratings: tuple[Rating, ...] = ()

    def latest(self, chi_sha256: str | None = None) -> Rating | None:
        """The last verdict, or the last one on a given map."""
        for rating in reversed(self.ratings):
            if chi_sha256 is None or rating.chi_sha256 == chi_sha256:
                return rating
        return None


def make_rating(verdict: str, *, rater: str, comment: str = "", chi_sha256: str = "") -> Rating:
    """A verdict given now.

    Raises
    ------
    QsmError
        For an unknown verdict or without a rater.
    """
    if verdict not in VERDICTS:
        raise QsmError(f"'{verdict}' is no rating; choose one of {', '.join(VERDICTS)}.")
    if not rater.strip():
        raise QsmError("A rating needs the rater's name or initials.")
    return Rating(
        verdict=verdict,
        comment=comment.strip(),
        rater=rater.strip(),
        rated_at=datetime.now(UTC).replace(microsecond=0),
        software_version=__version__,
        chi_sha256=chi_sha256,
    )


def read_ratings(folder: Path | str, *, prefix: str = "") -> RatingHistory:
    """The verdicts beside a result; empty where there are none.

    Parameters
    ----------
    folder : Path or str
        The result's folder.
    prefix : str
        What comes before ``rating.json``, as for the result's ``provenance.json``.

    Raises
    ------
    FileError
        If the file is not one of ratings.
    """
    path = Path(folder) / f"{prefix}{RATING_FILE}"
    if not path.exists():
        return RatingHistory()
    try:
        return RatingHistory.model_validate_json(path.read_bytes())
    except OSError as error:
        raise FileError(f"'{path.name}' cannot be read.") from error
    except ValidationError as error:
        raise FileError(
            f"'{path.name}' does not hold ratings that this version can read; it was left as it is."
        ) from error


def add_rating(folder: Path | str, rating: Rating, *, prefix: str = "") -> RatingHistory:
    """Write a verdict beside a result, after those that are there; none is ever replaced.

    Raises
    ------
    FileError
        If the folder is missing, or holds a rating file that cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileError(f"There is no folder '{folder}' to keep the rating in.")
    before = read_ratings(folder, prefix=prefix)
    history = RatingHistory(ratings=(*before.ratings, rating))
    write_text(folder / f"{prefix}{RATING_FILE}", history.model_dump_json(indent=2) + "\n")
    return history
