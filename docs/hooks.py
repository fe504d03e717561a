"""Pages made when the site is built: commands from their help, targets from their profiles, the root's files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LONGEST_LABEL = 40  # characters


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Puts what is made in place of its comment."""
    makers = {"commands": commands, "targets": targets, "changelog": changelog, "security": security}
    maker = makers.get(Path(page.file.src_uri).stem)
    if maker is None:
        return markdown
    return re.sub(r"<!-- made .*?-->", lambda _: maker(), markdown, flags=re.DOTALL)


def on_page_content(html: str, **_: Any) -> str:
    """A table's first column stays on one line but for the cells that are long."""

    def marked(found: re.Match[str]) -> str:
        text = re.sub(r"<[^>]+>", "", found[2])
        return found[0] if len(text) <= LONGEST_LABEL else f'{found[1]}<td class="long">{found[2]}</td>'

    return re.sub(r"(<tr>\s*)<td>(.*?)</td>", marked, html, flags=re.DOTALL)


def commands() -> str:
    """Every command's reference, by Typer's own generator."""
    from edge_sr.cli.app import COMMANDS, load_command

    return "\n".join(_command(load_command(name), name) for name in COMMANDS)


def _command(command: Any, name: str) -> str:
    from typer.cli import get_docs_for_click

    context = command.context_class(command, info_name=name)
    text = get_docs_for_click(obj=command, ctx=context, name=name, call_prefix="edge-sr", indent=1)
    return _tidied(text)


def _tidied(text: str) -> str:
    """Examples as a block of code; the exit codes, the same for all, stand in the page's first lines."""

    def block(found: re.Match[str]) -> str:
        lines = (line.strip() for line in found[1].strip().splitlines())
        return "**Examples**:\n\n```sh\n" + "\n".join(lines) + "\n```\n"

    text = re.sub(r"^Examples:\n((?:\s+edge-sr .*\n)+)", block, text, flags=re.MULTILINE)
    return re.sub(r"^Exit codes: .*\n?", "", text, flags=re.MULTILINE)


def targets() -> str:
    """The profiles that ship, a row each."""
    from edge_sr.engines.target import load_target, target_names

    head = (
        "| target | device | TensorRT | compute capability | MiB | precision | sizes |\n" + "|---" * 7 + "|"
    )
    rows = (
        f"| `{p.name}` | {p.title} | {p.flavour} | {', '.join(p.compute_capabilities)} | {p.memory_mib:,} | "
        f"{p.precision} | {', '.join(p.sizes)} |"
        for p in map(load_target, target_names())
    )
    return "\n".join([head, *rows])


def changelog() -> str:
    return _of_root("CHANGELOG.md")


def security() -> str:
    return _of_root("SECURITY.md")


def _of_root(name: str) -> str:
    """A file of the root, its links taken from docs/reference."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return text.replace("](docs/", "](../").replace("](SECURITY.md)", "](security.md)")
