"""The landing page's style sheet, served as /style.css: light and dark, wide and narrow."""

CSS = """\
:root {
  --ground: #f4f6f8; --sheet: #fff; --ink: #1c2733; --soft: #5d6b7a; --line: #e1e6eb;
  --accent: #17627f; --fine: #2b8a6e; --warn: #b7791f; --alarm: #c0392b; --notice: #fdf3e1;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12181f; --sheet: #1a222b; --ink: #dde4eb; --soft: #93a1af; --line: #2b3642;
    --accent: #6cb9d6; --fine: #56b897; --warn: #dba94a; --alarm: #e5786c; --notice: #33290f;
  }
}
* { box-sizing: border-box; margin: 0; padding: 0; }
body {
  background: var(--ground); color: var(--ink); font-size: 15px; line-height: 1.55;
  font-family: system-ui, "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif;
}
header, main { max-width: 1080px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 20px; }
.top { display: flex; gap: 16px; align-items: baseline; color: var(--soft); font-size: 13px; }
.brand { color: var(--accent); font-weight: 700; font-size: 17px; letter-spacing: .12em; }
.now { margin-left: auto; }
h1 { font-size: 28px; font-weight: 600; line-height: 1.3; margin-top: 8px; overflow-wrap: anywhere; }
.facts { list-style: none; display: flex; flex-wrap: wrap; color: var(--soft); font-size: 13px; }
.facts li:not(:last-child)::after { content: "·"; margin: 0 8px; }
section {
  background: var(--sheet); border: 1px solid var(--line); border-radius: 8px;
  padding: 16px 20px; margin: 16px 0;
}
h2 { font-size: 16px; font-weight: 600; margin-bottom: 10px; display: flex; flex-wrap: wrap; gap: 4px 12px; }
.aside { margin-left: auto; color: var(--soft); font-size: 13px; font-weight: 400; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 16px 28px; }
h3 { font-size: 13px; font-weight: 400; color: var(--soft); }
.value { font-size: 22px; font-weight: 600; font-variant-numeric: tabular-nums; }
.hint, small { color: var(--soft); font-size: 13px; }
.notice {
  background: var(--notice); border-left: 4px solid var(--warn); border-radius: 4px;
  padding: 8px 12px; margin: 12px 0; overflow-wrap: anywhere;
}
.bar { display: block; width: 100%; height: 6px; border-radius: 3px; }
.track { fill: var(--line); }
.fine .used { fill: var(--fine); } .warn .used { fill: var(--warn); } .alarm .used { fill: var(--alarm); }
td .bar { display: inline-block; width: 96px; margin-right: 6px; vertical-align: middle; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; font-weight: 400; color: var(--soft); font-size: 13px; white-space: nowrap; }
th, td { padding: 5px 16px 5px 0; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; padding: 5px 0 5px 16px; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 13px; overflow-wrap: anywhere; }
td code { white-space: nowrap; }
.pass { color: var(--fine); } .fail { color: var(--alarm); font-weight: 600; }
.unsure { color: var(--warn); font-weight: 600; } .zero { color: var(--soft); }
span.pass::before { content: "● "; } span.fail::before { content: "▲ "; } span.unsure::before { content: "◆ "; }
.number .pass::before, .number .fail::before, .number .unsure::before { content: none; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 24px; }
dt { color: var(--soft); }
.chips { list-style: none; display: flex; flex-wrap: wrap; gap: 6px; }
.chips li { border: 1px solid var(--line); border-radius: 5px; padding: 1px 9px; font-size: 13px; font-weight: 400; overflow-wrap: anywhere; }
.chips b { color: var(--ink); font-weight: 600; }
.chips li.fail { border-color: var(--alarm); }
.chips + .hint { margin-top: 10px; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
.links { list-style: none; display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 4px 24px; }
@media (max-width: 600px) {
  header, main { padding-left: 12px; padding-right: 12px; }
  section { padding: 12px; } th, td { padding-right: 10px; } .value { font-size: 19px; } dl { grid-template-columns: 1fr; } dd { margin-bottom: 6px; }
  .cards { grid-template-columns: 1fr 1fr; gap: 12px 16px; }
}
"""
