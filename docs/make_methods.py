"""Write docs/methods.md: every method and setting, read from the register."""

from __future__ import annotations

from pathlib import Path

from napari_qsm.recon.stages import QUANTITIES, STAGES, methods

HEAD = """# Methods and settings

Every method of every stage, as recipes and `--set stage.setting=value` name them. This page is
made from the program's own register by `python docs/make_methods.py`.
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
            parts.append(f"**{method.title}.** {method.summary}\n")
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
                    f"| `{setting.name}` | {shown}{unit} | {setting.allowed()} "
                    f"| {setting.param.help} |"
                )
            parts.append("")
    return "\n".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("methods.md").write_text(page(), encoding="utf-8")
