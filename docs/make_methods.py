"""Write docs/methods.md: every method and setting, read from the register."""

from __future__ import annotations

from pathlib import Path

from napari_qsm.recon.stages import CONTRASTS, QUANTITIES, STAGES, Method, methods

HEAD = """# Methods and settings

Every method of every stage, as recipes and `--set stage.setting=value` name them. This page is
made from the program's own register by `python docs/make_methods.py`.
"""

BESIDE = """
## Maps beside the susceptibility map

On request, as many as are wanted: `--also NAME,NAME`, and `--set NAME.setting=value`. What one of them
is made of (SWI for the projection, R2* for χ-separation) is made too.
"""


def page() -> str:
    """The page as Markdown."""
    parts = [HEAD]
    for stage, produced in STAGES.items():
        parts.append(f"\n## {stage}\n")
        for quantity in produced:
            parts.append(f"Gives `{quantity}`: {QUANTITIES[quantity]}.\n")
        for method in methods(stage).values():
            parts.append(f"\n### {stage}.method = {method.name}\n")
            parts += _described(method)
    parts.append(BESIDE)
    for method in methods(CONTRASTS).values():
        parts.append(f"\n### {method.name}\n")
        for quantity in method.gives:
            parts.append(f"Gives `{quantity}`: {QUANTITIES[quantity]}.\n")
        parts += _described(method)
    return "\n".join(parts).rstrip() + "\n"


def _described(method: Method) -> list[str]:
    """What a method does, its papers, and its settings as a table."""
    parts = [f"**{method.title}.** {method.summary}\n"]
    for reference in method.references:
        parts.append(f"- {reference}")
    if method.references:
        parts.append("")
    if method.settings:
        parts.append("| setting | default | allowed | meaning |")
        parts.append("|---|---|---|---|")
    for setting in method.settings.values():
        default = setting.default
        shown = f"{default:g}" if isinstance(default, float) else str(default).lower()
        unit = f" {setting.param.unit}" if setting.param.unit else ""
        parts.append(
            f"| `{setting.name}` | {shown}{unit} | {setting.allowed()} | {setting.param.help} |"
        )
    return [*parts, ""]


if __name__ == "__main__":
    Path(__file__).with_name("methods.md").write_text(page(), encoding="utf-8")
