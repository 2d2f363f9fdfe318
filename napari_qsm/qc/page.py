"""The frame of the report: looks on paper, on a phone, by day and by night."""

from __future__ import annotations

from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --line: #d5dae0;
  --quiet: #57606a; --soft: #f4f6f8; --bar: #2f6fb3; --serious: #b3261e; --warning: #9a5b00;
  --good: #1a6e37; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --paper: #14171a; --line: #3a4149;
  --quiet: #a3adb8; --soft: #1f2429; --bar: #6ea8e6; --serious: #ff8a80; --warning: #f2b84b;
  --good: #7ad69a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 960px; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p { margin: .4rem 0 .8rem; }
header p, small, figcaption { color: var(--quiet); }
figcaption b, td b { color: var(--ink); }
figure { margin: 0 0 1.4rem; }
figcaption { margin-bottom: .3rem; font-size: .92rem; }
img { display: block; width: 100%; height: auto; background: #000; border-radius: 4px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
.usual { min-width: 8.5em; }
th { color: var(--quiet); font-weight: 600; }
.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
pre { background: var(--soft); padding: .8rem; border-radius: 4px; overflow-x: auto;
  font-size: .85rem; user-select: all; white-space: pre-wrap; overflow-wrap: anywhere; }
.findings { list-style: none; padding: 0; }
.findings li, .good { border-left: 5px solid var(--quiet); background: var(--soft);
  padding: .5rem .8rem; margin: 0 0 .5rem; border-radius: 0 4px 4px 0; }
.findings .serious { border-color: var(--serious); }
.findings .serious b { color: var(--serious); }
.findings .warning { border-color: var(--warning); }
.findings .warning b { color: var(--warning); }
.good { border-color: var(--good); }
.good b { color: var(--good); }
.histogram { width: 100%; max-width: 720px; height: auto; display: block; }
.histogram rect { fill: var(--bar); }
.histogram line { stroke: var(--quiet); }
.histogram text { fill: var(--ink); font-size: 14px; }
@media (max-width: 600px) { body { padding: 1rem .7rem; font-size: 15px; }
  th, td { padding-right: .4rem; } .number { white-space: normal; } .usual { min-width: 5em; }
  figure .wide img { min-width: 640px; } }
@media print { :root { --ink: #000; --paper: #fff; --line: #bbb; --quiet: #444; --soft: #f4f4f4;
  --bar: #2f6fb3; --serious: #b3261e; --warning: #7a4700; --good: #1a6e37; }
  body { max-width: none; padding: 0; font-size: 11pt; } h2 { break-after: avoid; }
  figure, tr, .findings li { break-inside: avoid; }
  img, .findings li { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
""".strip()


def page(title: str, subtitle: str, body: str) -> str:
    """A whole HTML page.

    Parameters
    ----------
    title : str
        Plain text.
    subtitle : str
        Plain text below the title.
    body : str
        HTML.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{_STYLE}
</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p>{escape(subtitle)}</p>
</header>
{body}
</body>
</html>
"""
