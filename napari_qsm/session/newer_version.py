"""Whether a newer version is published: asked only when the user asks, and nothing is told.

One plain GET of the public page on this program, without a parameter, a cookie or a name: the server
learns no more than that somebody reads the page.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request

from packaging.version import InvalidVersion, Version

from napari_qsm._version import __version__
from napari_qsm.errors import QsmError

#: The page of the program on the Python Package Index, for programs to read.
PAGE = "https://pypi.org/pypi/napari-qsm/json"
_WAIT_S = 10.0
_LARGEST = 20_000_000  # bytes; the page holds every release


def published_version(page: str = PAGE) -> str:
    """The newest version that is published.

    Parameters
    ----------
    page : str
        Its address.

    Raises
    ------
    QsmError
        If the page cannot be reached or understood.
    """
    request = urllib.request.Request(page, headers={"User-Agent": "napari-qsm"})
    try:
        with urllib.request.urlopen(request, timeout=_WAIT_S) as answer:
            said = json.loads(answer.read(_LARGEST))
        return str(Version(said["info"]["version"]))
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise QsmError("No version of napari-qsm is published yet.") from error
        raise QsmError(
            f"The Python Package Index has no answer now ({error.code}); ask again later."
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise QsmError(
            "The Python Package Index cannot be reached from here, so it stays unknown whether "
            "there is a newer version; nothing else needs a connection."
        ) from error
    except (ValueError, KeyError, TypeError, InvalidVersion) as error:
        raise QsmError(
            "What came back was not the page of the Python Package Index; a network that asks to "
            "log in first may have answered."
        ) from error


def comparison(published: str, here: str = __version__) -> str:
    """What to tell the user.

    Parameters
    ----------
    published, here : str
        The newest version published, and the one at work.

    Examples
    --------
    >>> comparison("0.2.0", "0.2.0")
    'This is the newest version, 0.2.0.'
    """
    newest, own = Version(published), Version(here)
    if newest > own:
        return (
            f"Version {published} is there; this is {here}. "
            "'pip install --upgrade napari-qsm' brings it, or its installer; results of this one "
            "stay readable. What has changed stands on the program's page."
        )
    if newest < own:
        return f"This version, {here}, is newer than the newest published one, {published}."
    return f"This is the newest version, {here}."
