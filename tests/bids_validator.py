"""The official BIDS validator, which knows nothing of this program."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def errors_of(folder):
    """Return what the validator calls an error in a dataset."""
    program = Path(sys.executable).with_name(
        "bids-validator-deno" + ".exe" * (sys.platform == "win32")
    )
    if not program.exists():
        pytest.skip("the BIDS validator is not installed")
    done = subprocess.run(
        [program, folder, "--format", "json"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    said = json.loads(done.stdout)
    assert said["summary"]["totalFiles"] > 3, "it saw nothing"
    return [
        f"{issue['code']}: {issue.get('location', '')}"
        for issue in said["issues"]["issues"]
        if issue["severity"] == "error"
    ]
