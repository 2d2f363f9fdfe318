"""Writes the text that the installers show: our licence, what stands beside it, and what this is not."""

from pathlib import Path

HERE = Path(__file__).parent
BESIDE = """
This installer also holds Python and the libraries that the program stands on, each under its own
licence, which lies in the folder conda-meta of the installation; Qt comes by way of PySide6 (LGPL 3).

Research software, not a medical device: not for diagnosis.
"""


def main(target=HERE / "licence.txt"):
    """Write it beside ``construct.yaml``."""
    own = (HERE.parents[1] / "LICENSE").read_text(encoding="utf-8")
    target.write_text(own.rstrip() + "\n" + BESIDE, encoding="utf-8")


if __name__ == "__main__":
    main()
