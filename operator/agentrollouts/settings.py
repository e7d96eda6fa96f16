"""What the administrator of the operator decides, in one YAML file: never in the object of a tenant.

`main` loads it before anything else and exits with 2 and the text of `SettingsError` if it cannot; from
then on a `Watcher` looks at the file, and a wrong one changes nothing. Read by main, cli and shell;
whatever lies below gets single values. Addresses and credentials of Prometheus stand here because a tenant
who could name an address could make the operator speak to any server that it can reach.
"""

import asyncio
import difflib
from collections.abc import AsyncGenerator, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FilePath,
    SecretStr,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails


class SettingsError(Exception):
    """The settings cannot be used; the text names every problem, where it is and what to do."""


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        use_attribute_docstrings=True,
    )


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port_is_legal = parts.port != 0
    except ValueError:
        parts, port_is_legal = urlsplit(""), False
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_legal:
        raise ValueError("must be an address such as http://prometheus.monitoring:9090")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not contain a user or password; use bearerTokenFile, headers or headerFiles")
    if parts.query or parts.fragment:
        raise ValueError(
            "must not contain a query or a fragment; give the address up to, and without, /api/v1"
        )
    return url.rstrip("/")


def _checked_header(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be one line without spaces around it")
    return value


def _distinct_names(sources: tuple["PrometheusSource", ...]) -> tuple["PrometheusSource", ...]:
    names = [source.name for source in sources]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"names must differ; used more than once: {', '.join(repeated)}")
    return sources


DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
DnsName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
LabelName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z][a-zA-Z0-9_]{0,127}$")]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
HeaderValue = Annotated[SecretStr, AfterValidator(_checked_header)]
Url = Annotated[str, Field(max_length=2048), AfterValidator(_checked_url)]


class Flavor(StrEnum):
    """What kind of server answers the HTTP API of Prometheus."""

    AUTO = "Auto"
    PROMETHEUS = "Prometheus"
    VICTORIA_METRICS = "VictoriaMetrics"


class PrometheusSource(_Section):
    """A server with the HTTP API of Prometheus, which rollouts name in `spec.metrics.source`."""

    name: DnsLabel
    """What rollouts call it; `default` is what they use when they name none."""
    url: Url
    """Its address without `/api/v1`. Redirects are not followed and no proxy is used."""
    bearer_token_file: FilePath | None = None
    """File with the token to send; read again for every query, as such tokens rotate."""
    ca_file: FilePath | None = None
    """File with the certificates to trust instead of the system's."""
    headers: Mapping[HeaderName, HeaderValue] = Field(default={}, max_length=16)
    """Headers to send, such as X-Scope-OrgID. The values are never logged."""
    header_files: Mapping[HeaderName, FilePath] = Field(default={}, max_length=16)
    """Headers to send whose values are in files; read again for every query."""
    timeout_seconds: float = Field(strict=True, default=5.0, ge=0.05, le=60)
    """How long one query may take, with everything."""
    namespaces: tuple[DnsLabel, ...] = ()
    """Namespaces whose rollouts may use it; all if empty."""
    flavor: Flavor = Flavor.AUTO
    """How it counts the first value of a series: the `increase` of VictoriaMetrics contains it, that of
    Prometheus does not, so that the operator adds it. Auto, the default, reads the server's build information
    (`/api/v1/status/buildinfo`); name the flavor where a proxy hides it."""
    namespace_label: LabelName = "namespace"
    """Label that holds the namespace whose series it is; every query is kept to that of its rollout.

    The scrape configuration must set it on every series, whatever the target says: else a tenant could count
    runs for another. docs/metrics.md says how, and what to do about a proxy that serves many tenants.
    """


class Limits(_Section):
    """How much a tenant may ask for."""

    rollouts_per_namespace: int = Field(strict=True, default=1000, ge=1, le=100_000)
    """Number of AgentRollouts in one namespace that are served. Younger ones ship nothing, with the reason
    LimitExceeded. A release that they already serve continues, and can be rolled back."""
    gates_per_rollout: int = Field(strict=True, default=16, ge=1, le=16)
    """Gates of one rollout. A rollout with more ships nothing, with the reason LimitExceeded."""


class Serve(_Section):
    """Where metrics and probes are served. Takes effect at the next start."""

    address: str = Field(default="0.0.0.0", min_length=1, max_length=253)  # noqa: S104 - probes come to the pod's address
    """Address to listen on."""
    port: int = Field(strict=True, default=8080, ge=0, le=65535)
    """Port for /metrics, /healthz and /readyz; 0 takes any free one."""


class Log(_Section):
    """How the operator logs. Takes effect at the next start."""

    format: Literal["json", "console"] = "json"
    """`json` for machines, `console` for people."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severity that is written."""


class Settings(_Section):
    """All settings. Each has a default, so `{}` is a complete file."""

    prometheus: Annotated[tuple[PrometheusSource, ...], AfterValidator(_distinct_names)] = Field(
        default=(), max_length=64
    )
    """Servers that rollouts may name; without one, no gate can pass and no rollout advances."""
    namespaces: tuple[DnsLabel, ...] = ()
    """Namespaces to watch; all if empty. Takes effect at the next start."""
    gateway_classes: tuple[DnsName, ...] = ()
    """GatewayClasses whose Gateways a rollout may attach a route to; all if empty. A rollout that names
    another Gateway ships nothing, with the reason GatewayNotPermitted."""
    limits: Limits = Limits()
    """How much a tenant may ask for."""
    workers: int = Field(strict=True, default=32, ge=1, le=64)
    """Number of rollouts that are processed concurrently: all that roll back at once write their routes
    before any writes its status. Takes effect at the next start."""
    serve: Serve = Serve()
    """Where metrics and probes are served."""
    log: Log = Log()
    """How the operator logs."""

    def secrets(self) -> Iterator[str]:
        """Values in this file that may appear in no log line."""
        for source in self.prometheus:
            for value in source.headers.values():
                yield value.get_secret_value()


def load(path: Path) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: the file is missing, empty, not YAML, or breaks a rule.
    """
    return _parse(path, _read(path))


class Watcher:
    """The settings as last found good, and the file that they came from.

    The content is compared, not its time: the files of a mounted ConfigMap are swapped through a symlink.

    Raises:
        SettingsError: from the constructor, when the file is wrong at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: str | SettingsError = _read(path)
        self.settings = _parse(path, self._seen)

    def look(self) -> Settings | SettingsError | None:
        """Read the file once: None if nothing is new, else the new settings, or why the old ones stay."""
        try:
            text = _read(self._path)
        except SettingsError as error:
            return self._remember(error) if str(error) != str(self._seen) else None
        if text == self._seen:
            return None
        self._seen = text
        try:
            self.settings = _parse(self._path, text)
        except SettingsError as error:
            return error
        return self.settings

    async def changes(self, every_seconds: float = 5.0) -> AsyncGenerator[Settings | SettingsError]:
        """Watch the file indefinitely; yield each change, valid or not."""
        while True:
            await asyncio.sleep(every_seconds)
            if (news := await asyncio.to_thread(self.look)) is not None:
                yield news

    def _remember(self, error: SettingsError) -> SettingsError:
        self._seen = error
        return error


_SIZE_MAX: Final = 1 << 20


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_SIZE_MAX + 1)
    except OSError as error:
        raise SettingsError(f"Failed to read the settings file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"Failed to read the settings file {path}: it is not UTF-8 text") from error
    if len(text) > _SIZE_MAX:
        raise SettingsError(
            f"Failed to read the settings file {path}: it is longer than {_SIZE_MAX} characters"
        )
    return text


def _parse(path: Path, text: str) -> Settings:
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SettingsError(f"The settings file {path} is not YAML{place}") from None
    if not isinstance(content, dict):
        raise SettingsError(
            f"The settings file {path} does not contain a mapping; write {{}} to take every default"
        )
    try:
        return Settings.model_validate(content, by_name=False)
    except ValidationError as error:
        problems = "\n".join(f"- {_sentence(problem)}" for problem in error.errors(include_url=False))
        raise SettingsError(f"The settings file {path} cannot be used:\n{problems}") from None


def _sentence(problem: ErrorDetails) -> str:
    """Field path, what is wrong, what to do. The value is left out: it may be a secret in the wrong place."""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(
        "."
    )
    if problem["type"] != "extra_forbidden":
        return f"{place}: {problem['msg'].removeprefix('Value error, ')}"
    known = _keys(problem["loc"][:-1])
    near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
    return f"{place}: unknown key; " + (
        f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    )


def _keys(place: tuple[int | str, ...]) -> list[str]:
    """The keys that the section at this path knows."""
    section: Any = Settings
    for part in place:
        section = get_args(section)[0] if isinstance(part, int) else _fields(section)[part]
    return list(_fields(section))


def _fields(section: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in section.model_fields.items()}
