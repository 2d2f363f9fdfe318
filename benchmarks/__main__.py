"""Run benchmarks by name: ``python -m benchmarks speed accuracy``; all of them without a name."""

from __future__ import annotations

import argparse
import importlib

NAMES = (
    "startup",
    "speed",
    "command",
    "batch",
    "scaling",
    "accuracy",
    "steps",
    "quality",
    "uncertainty",
    "background",
    "inversion",
    "viewer",
    "shapes",
    "autosave",
    "regions",
    "registration",
    "outlines",
    "contrasts",
    "study_page",
    "reading",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    names = parser.parse_args().names or NAMES
    for name in names:
        if name not in NAMES:
            parser.error(f"there is no benchmark '{name}'; there are {', '.join(NAMES)}")
        print(f"\n## {name}\n", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
