"""What the package index shows: the README with whole addresses, and where the project lives.

A checkout knows no address of its own. Where the project is published, ``PROJECT_HOME`` names
it (the release workflow sets it to the repository's page); without it, links stay as they are.
"""

import os
import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Metadata(MetadataHookInterface):
    """Fills in ``readme`` and ``urls``."""

    def update(self, metadata):
        """Add them to the project's metadata."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        home = os.environ.get("PROJECT_HOME", "").rstrip("/")
        if home:
            tag = "v" + metadata["version"]
            text = whole_addresses(text, f"{home}/raw/{tag}", f"{home}/blob/{tag}")
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = addresses(home)


def whole_addresses(text, pictures, pages):
    """Return Markdown whose pictures and links no longer depend on where it stands."""
    text = re.sub(r"(!\[[^\]]*\]\()(?!\w+:)", rf"\g<1>{pictures}/", text)
    return re.sub(r"((?<!!)\[[^\]]*\]\()(?!\w+:|#)", rf"\g<1>{pages}/", text)


def addresses(home):
    """Return the addresses of a project that lives there; none without one."""
    ends = {"Source": "", "Issues": "/issues", "Changes": "/blob/main/CHANGELOG.md"}
    return {name: home + end for name, end in ends.items()} if home else {}
