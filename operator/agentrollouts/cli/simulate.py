"""`agentrollouts simulate`: a rollout in virtual time, before anything is shipped."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.cli.mistakes import WrongUseError, problems
from agentrollouts.cli.reading import read_objects, read_yaml
from agentrollouts.core.release.content import ConfigMapData
from agentrollouts.simulation.play import Misfit, Objects, world_of
from agentrollouts.simulation.script import Script
from agentrollouts.simulation.timeline import Entry, Timeline
from agentrollouts.simulation.world import World

WRONG_USE: Final = 2

Model = TypeVar("Model", bound=BaseModel)


def run_simulate(options: argparse.Namespace) -> int:
    """Play it and print what happened; 2 where a file or an argument is wrong."""
    try:
        draw = _drawing(options.plot) if options.plot else None
        script = _read_script(options.world, options.seed)
        objects = _read_objects(options.files)
        try:
            world = world_of(script, objects)
        except Misfit as error:
            raise WrongUseError(f"{options.world}: {error}") from None
    except WrongUseError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE
    timeline = Timeline.of(world)
    world.run(script.lasts)
    print(json.dumps(_as_json(timeline, world)) if options.json else "\n".join(_as_text(timeline, world)))
    if draw:
        draw(timeline, world)
    return 0


def _drawing(path: Path) -> Any:  # noqa: ANN401 a function of a module that may be missing
    if path.suffix not in {".png", ".svg"}:
        raise WrongUseError(f"--plot {path}: must end in .png or .svg")
    if not path.absolute().parent.is_dir():
        raise WrongUseError(f"--plot {path}: {path.parent} is not a folder")
    try:
        from agentrollouts.cli.plot import draw  # noqa: PLC0415 only who plots needs matplotlib
    except ModuleNotFoundError as error:
        raise WrongUseError(
            f"--plot needs {error.name}; install it with: pip install 'agentrollouts[plot]'"
        ) from None
    return lambda timeline, world: draw(timeline, world.now, path)


def _read_script(name: str, seed: int | None) -> Script:
    documents = read_yaml(name)
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise WrongUseError(f"{name}: must contain one mapping: the fields of a world")
    return _read(name, Script, documents[0] | ({} if seed is None else {"seed": seed}))


def _read_objects(names: Sequence[str]) -> Objects:
    rollouts: list[tuple[str, AgentRollout]] = []
    releases: dict[str, AgentRelease] = {}
    config_maps: dict[str, ConfigMapData] = {}
    for name, document in _documents(names):
        match document.get("kind"):
            case "AgentRollout":
                rollouts.append((name, _read(name, AgentRollout, _without_status(document), extra="ignore")))
            case "AgentRelease":
                release = _read(name, AgentRelease, _without_status(document), extra="ignore")
                if release.metadata.name in releases:
                    raise WrongUseError(f"{name}: has AgentRelease {release.metadata.name} a second time")
                releases[release.metadata.name] = release
            case "ConfigMap":
                config_maps |= [_config_map(name, document)]
    if len(rollouts) != 1:
        raise WrongUseError(f"{', '.join(names)}: hold {len(rollouts)} AgentRollouts; name files with one")
    [(name, rollout)] = rollouts
    if rollout.spec.release_ref.name not in releases:
        raise WrongUseError(
            f"{name}: spec.releaseRef: no AgentRelease {rollout.spec.release_ref.name} in the files"
        )
    return Objects(rollout, tuple(releases.values()), config_maps)


def _config_map(name: str, document: Mapping[str, Any]) -> tuple[str, ConfigMapData]:
    """Name and content. Only what the simulation reads is checked."""
    metadata, data = document.get("metadata") or {}, document.get("data") or {}
    title = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(title, str):
        raise WrongUseError(f"{name}: metadata.name: Required value; give the ConfigMap a name")
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise WrongUseError(
            f"{name}: data: Invalid value: ConfigMap {title} must map keys to text; quote values"
        )
    return title, ConfigMapData(data, tuple(document.get("binaryData") or ()))


def _documents(names: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in names:
        for document in read_objects(name, among_others=True):
            yield name, document


def _read(name: str, model: type[Model], value: Any, *root: str, extra: Any = "forbid") -> Model:  # noqa: ANN401 any YAML
    try:
        return model.model_validate(value, extra=extra)
    except ValidationError as error:
        raise WrongUseError("\n".join(f"{name}: {each}" for each in problems(error, *root))) from None


def _without_status(document: Mapping[str, Any]) -> dict[str, Any]:
    """A simulation begins where the world file says, whatever the cluster said when the file was made."""
    metadata = document.get("metadata")
    settled = {"namespace": "default"} | metadata if isinstance(metadata, dict) else metadata
    return {key: value for key, value in document.items() if key != "status"} | {"metadata": settled}


def _as_text(timeline: Timeline, world: World) -> Iterator[str]:
    """A line for each thing that happened, then how it ended and what it cost."""
    yield f"{'TIME':<12} {'STATE':<16} {'CANARY':>6}  WHAT HAPPENED"
    for entry in timeline.entries:
        yield _line(timeline.start, entry)
    yield ""
    for ready in world.status.conditions[:1]:
        yield f"At the end, {world.now:%Y-%m-%d %H:%M:%S}: {ready.reason}. {ready.message}"
    for release, (runs, failed) in _runs(world).items():
        yield f"{release}: {runs:,.0f} runs, {failed:,.0f} failed"


def _line(start: datetime, entry: Entry) -> str:
    text = f"{entry.reason}: {entry.message}" if entry.reason else f"({entry.message})"
    return f"{_span((entry.time - start).total_seconds()):<12} {entry.state:<16} {entry.weight:>4}%  {text}"


def _span(seconds: float) -> str:
    """Since the start: 2d 03:15:00."""
    days, rest = divmod(int(seconds), 86400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days}d {clock}" if days else clock


def _runs(world: World) -> dict[str, tuple[float, float]]:
    """Runs of each release since the start, and how many of them failed."""
    seen, start = world.prometheus, world.start
    return {
        release: (seen.runs_since(start, release), seen.runs_since(start, release, "failed"))
        for release in seen.counters
    }


def _as_json(timeline: Timeline, world: World) -> dict[str, Any]:
    runs = {release: {"runs": runs, "failed": failed} for release, (runs, failed) in _runs(world).items()}
    return {**timeline.to_json(), "runs": runs, "status": world.status.to_json()}
