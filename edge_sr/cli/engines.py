"""``edge-sr engines``: what the engine cache holds, whether it is sound, and making room in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_sr.cli.options import Json, closing
from edge_sr.cli.terminal.progress import say
from edge_sr.errors import EngineError, OptionError, UnknownNameError

if TYPE_CHECKING:
    from edge_sr.engines.store.store import EngineFile, EngineStore

EXAMPLES = ("edge-sr engines list", "edge-sr engines prune --older-than 90 --dry-run")

MOST_NAMED = 8

app = typer.Typer(
    no_args_is_help=True, help="List, show, verify and prune built engines.", epilog=closing(*EXAMPLES)
)

NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="An engine's name, or a part that no other has, such as its end."),
]
DaysOption = Annotated[
    float | None, typer.Option(metavar="DAYS", help="Remove what was not used for this many days.")
]
SizeOption = Annotated[
    int | None, typer.Option(metavar="MIB", help="Remove the least used until this many MiB are left.")
]
KeepStaleOption = Annotated[
    bool, typer.Option("--keep-stale", help="Keep engines of another TensorRT or GPU.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")]


@app.command("list", epilog=closing("edge-sr engines list", "edge-sr engines list --json"))
def list_(json_: Json = False) -> None:
    """List every sound engine.

    Damaged ones are named on stderr.
    """
    from edge_sr.engines.report import row, table

    rows = [row(engine) for engine in _sound(_open())]
    if json_:
        print(json.dumps({"engines": rows}))
    elif rows:
        print("\n".join(table(rows)))
    else:
        say("no engines yet; build some with: edge-sr build diinn-edge --target auto")


@app.command(epilog=closing("edge-sr engines show 2ea1027e", "edge-sr engines show 2ea1027e --json"))
def show(name: NameArgument, json_: Json = False) -> None:
    """Show one engine's manifest.

    That is every input of its build, its shapes, and its verification.
    """
    from dataclasses import asdict

    from edge_sr.engines.report import facts

    engine = _find(_open(), name)
    if json_:
        print(json.dumps({"path": str(engine.path), "manifest": asdict(engine.manifest)}))
        return
    print(engine.path)
    for fact in facts(engine.manifest):
        print(f"  {fact}")


@app.command(epilog=closing("edge-sr engines verify", "edge-sr engines verify --json"))
def verify(json_: Json = False) -> None:
    """Check every engine against its manifest.

    Exit code 5 when a hash or a name does not hold.
    """
    checked = [(path, reason) for path, _, reason in _open().check()]
    damaged = [{"path": str(path), "reason": reason} for path, reason in checked if reason]
    if json_:
        print(json.dumps({"checked": len(checked), "damaged": damaged}))
    else:
        print(f"{len(checked)} engines checked, {len(damaged)} damaged")
    for item in damaged:
        say(item["reason"])
    if damaged:
        raise EngineError(
            f"{len(damaged)} of {len(checked)} engines are damaged: edge-sr engines prune removes them"
        )


@app.command(
    epilog=closing("edge-sr engines prune --older-than 90 --dry-run", "edge-sr engines prune --keep-mib 2000")
)
def prune(
    older_than: DaysOption = None,
    keep_mib: SizeOption = None,
    keep_stale: KeepStaleOption = False,
    dry_run: DryRunOption = False,
    json_: Json = False,
) -> None:
    """Remove damaged and stale engines.

    By age or size, what else is asked for too.
    """
    from edge_sr.engines.store import prune as pruning

    # Not a number is not below 0 either.
    if not all(value is None or value >= 0 for value in (older_than, keep_mib)):
        raise OptionError("--older-than and --keep-mib are 0 or more")
    keep = None if keep_mib is None else keep_mib << 20
    removed = pruning.prune(_open(), pruning.Limits(older_than, keep, not keep_stale), dry_run)
    _report_removals(removed, dry_run, json_)


def _report_removals(removed: list[Any], dry_run: bool, as_json: bool) -> None:
    if as_json:
        rows = [{"path": str(r.path), "reason": r.reason, "bytes": r.bytes} for r in removed]
        print(json.dumps({"removed": rows, "bytes": sum(r.bytes for r in removed), "dry_run": dry_run}))
        return
    for removal in removed:
        print(f"{'would remove' if dry_run else 'removed'} {removal.path.name}: {removal.reason}")
    print(f"{sum(r.bytes for r in removed):,} bytes {'would be ' if dry_run else ''}freed")


def _open() -> EngineStore:
    from edge_sr.engines.store.store import EngineStore

    return EngineStore()


def _sound(cache: EngineStore) -> list[EngineFile]:
    sound = []
    for _, engine, reason in cache.check():
        if engine is None:
            say(reason)
        else:
            sound.append(engine)
    return sound


def _find(cache: EngineStore, name: str) -> EngineFile:
    paths: list[Path] = [path for path in cache.paths() if name in path.stem]
    exact = [path for path in paths if path.stem == name]
    if not paths:
        raise UnknownNameError(f"no engine has {name!r} in the name; see: edge-sr engines list")
    if len(exact or paths) != 1:
        fitting = ", ".join(path.stem for path in sorted(paths)[:MOST_NAMED])
        more = " and more" if len(paths) > MOST_NAMED else ""
        raise UnknownNameError(
            f"{len(paths)} engines have {name!r} in the name, and one is shown: give more of it, such as the end; "
            f"they are {fitting}{more}"
        )
    return cache.open((exact or paths)[0])
