"""Inputs: the text of a settings file. Outputs: settings, or the sentences that an administrator reads."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from agentrollouts.insight.alerts.alert import AlertName, AlertSeverity
from agentrollouts.settings.alerts import Alertmanager, Links
from agentrollouts.settings.authority import AuthoritySettings
from agentrollouts.settings.gateways import GatewayGrant
from agentrollouts.settings.hooks import Endpoint, HookSettings
from agentrollouts.settings.limits import Limits
from agentrollouts.settings.load import SettingsError, Watcher, load
from agentrollouts.settings.settings import Log, Serve, Settings
from agentrollouts.settings.sources import PrometheusSource

SECRET = "s3cr3t-tenant-value"  # noqa: S105 - it protects nothing

HERE = __file__
"""A file that exists."""


def written(folder: Path, text: str) -> Path:
    """A settings file with this text."""
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def refusal(folder: Path, text: str) -> list[str]:
    """The lines of the error that this text gives, without the path of the file."""
    path = written(folder, text)
    with pytest.raises(SettingsError) as caught:
        load(path)
    return str(caught.value).replace(str(path), "FILE").splitlines()


def test_an_empty_mapping_takes_every_default(tmp_path: Path) -> None:
    """Nothing has to be set; what is not set has its documented default."""
    assert load(written(tmp_path, "{}")) == Settings(
        prometheus=(),
        alertmanagers=(),
        links=Links(dashboard=None, runbooks=None),
        alert_severities={},
        namespaces=(),
        gateway_classes=(),
        gateways=(),
        hooks=HookSettings(endpoints=()),
        limits=Limits(
            rollouts_per_namespace=1000,
            gates_per_rollout=16,
            min_interval_seconds=1,
            queries_per_second_per_namespace=80,
            releases_per_namespace=10_000,
            release_bytes_per_namespace=256 * 2**20,
        ),
        authority=AuthoritySettings(username_prefix="", unproved="BackOnly"),
        workers=32,
        serve=Serve(address="0.0.0.0", port=8080),  # noqa: S104 - the default that probes need
        log=Log(format="json", level="info"),
    )


def test_a_full_file_is_read_as_it_says(tmp_path: Path) -> None:
    """Every key arrives at its field."""
    token, ca, key = (tmp_path / name for name in ("token", "ca.crt", "key"))
    for path in (token, ca, key):
        path.write_text("x")
    text = f"""
    prometheus:
    - name: default
      url: https://prometheus.monitoring:9090/prefix/
      bearerTokenFile: {token}
      caFile: {ca}
      headers: {{X-Scope-OrgID: team-a}}
      headerFiles: {{X-Key: {key}}}
      timeoutSeconds: 2.5
      concurrentQueries: 4
      namespaces: [support]
      namespaceLabel: tenant_namespace
    alertmanagers:
    - {{name: default, url: "http://alertmanager.monitoring:9093", headers: {{X-Scope-OrgID: team-a}}}}
    links: {{dashboard: "https://d.example/", runbooks: "https://r.example"}}
    alertSeverities: {{AgentReleaseRolledBack: critical}}
    namespaces: [support, billing]
    gatewayClasses: [traefik]
    gateways:
    - {{namespaces: [support, "billing-*"], gateways: [infra/public], hosts: ["*.Support.example.com."]}}
    authority: {{usernamePrefix: "oidc:", unproved: Refuse}}
    hooks:
      endpoints:
      - {{name: crm, url: "https://crm/a/", caFile: {ca}, secretFile: {key}, namespaces: [support]}}
    limits:
      rolloutsPerNamespace: 5
      gatesPerRollout: 3
      minIntervalSeconds: 5
      queriesPerSecondPerNamespace: 2.5
      releasesPerNamespace: 7
      releaseBytesPerNamespace: 2000000
    workers: 2
    serve: {{address: 127.0.0.1, port: 0}}
    log: {{format: console, level: debug}}
    """
    assert load(written(tmp_path, text)) == Settings(
        prometheus=(
            PrometheusSource(
                name="default",
                url="https://prometheus.monitoring:9090/prefix",
                bearer_token_file=token,
                ca_file=ca,
                headers={"X-Scope-OrgID": SecretStr("team-a")},
                header_files={"X-Key": key},
                timeout_seconds=2.5,
                concurrent_queries=4,
                namespaces=("support",),
                namespace_label="tenant_namespace",
            ),
        ),
        alertmanagers=(
            Alertmanager(
                name="default",
                url="http://alertmanager.monitoring:9093",
                headers={"X-Scope-OrgID": SecretStr("team-a")},
            ),
        ),
        links=Links(dashboard="https://d.example", runbooks="https://r.example"),
        alert_severities={AlertName.ROLLED_BACK: AlertSeverity.CRITICAL},
        namespaces=("support", "billing"),
        gateway_classes=("traefik",),
        gateways=(
            GatewayGrant(
                namespaces=("support", "billing-*"),
                gateways=("infra/public",),
                hosts=("*.support.example.com",),
            ),
        ),
        authority=AuthoritySettings(username_prefix="oidc:", unproved="Refuse"),
        hooks=HookSettings(
            endpoints=(
                Endpoint(
                    name="crm",
                    url="https://crm/a/",
                    ca_file=ca,
                    secret_file=key,
                    namespaces=("support",),
                ),
            )
        ),
        limits=Limits(
            rollouts_per_namespace=5,
            gates_per_rollout=3,
            min_interval_seconds=5,
            queries_per_second_per_namespace=2.5,
            releases_per_namespace=7,
            release_bytes_per_namespace=2_000_000,
        ),
        workers=2,
        serve=Serve(address="127.0.0.1", port=0),
        log=Log(format="console", level="debug"),
    )


def test_all_problems_are_told_at_once_with_place_and_cure(tmp_path: Path) -> None:
    """Each problem is one line: field path, what is wrong, what to do."""
    text = f"""
    prometheus:
    - {{name: default, url: "http://u:{SECRET}@x:9090", timeOutSeconds: 3, headers: {{A: "{SECRET}\\n"}}}}
    - {{name: other, url: "ftp://x", caFile: /no/such/file}}
    limits: {{gates_per_rollout: 3}}
    workers: 99
    zebra: 1
    """
    keys = ", ".join(field.alias or name for name, field in Settings.model_fields.items())
    assert refusal(tmp_path, text) == [
        "The settings file FILE cannot be used:",
        (
            "- prometheus[0].url: must not contain a user or password; use bearerTokenFile, headers or "
            "headerFiles"
        ),
        "- prometheus[0].headers.A: must be one line without spaces around it",
        "- prometheus[0].timeOutSeconds: unknown key; did you mean timeoutSeconds?",
        "- prometheus[1].url: must be an address such as http://prometheus.monitoring:9090",
        "- prometheus[1].caFile: is not a file; correct the path, or mount what it names",
        "- limits.gates_per_rollout: unknown key; did you mean gatesPerRollout?",
        "- workers: Input should be less than or equal to 64",
        f"- zebra: unknown key; known here: {keys}",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "does not contain a mapping; write {} to take every default"),
        ("- a", "does not contain a mapping; write {} to take every default"),
        ("workers: 1\n  x: [", "is not YAML at line 2, column 4"),
        ("a: !!python/object/apply:os.system [id]", "is not YAML at line 1, column 4"),
        ("[" * 100_000, "is not YAML"),
        ("workers: true", "- workers: Input should be a valid integer"),
        ("prometheus: [{name: a, url: 'http://a'}, {name: a, url: 'http://b'}]", "used more than once: a"),
        ("prometheus: [{name: a, url: 'http://a:99999'}]", "must be an address such as"),
        ("prometheus: [{name: a, url: 'http://[a'}]", "must be an address such as"),
        ("prometheus: [{name: a, url: 'http://a/?token=1'}]", "must not contain a query or a fragment"),
        (
            "prometheus: [{name: a, url: 'http://a', namespaceLabel: 'x!=\"\"'}]",
            "[0].namespaceLabel: String should",
        ),
        ("prometheus: [{name: a, url: 'http://a', namespaceLabel: ''}]", "[0].namespaceLabel: String should"),
        ("prometheus: [{url: 'http://a'}]", "- prometheus[0].name: Field required"),
        ("alertmanagers: [{name: a, url: 'http://a'}, {name: a, url: 'http://b'}]", "used more than once: a"),
        ("alertmanagers: [{name: a, url: 'http://a', namespace: x}]", "did you mean namespaces?"),
        (
            "alertmanagers: [{name: a, url: 'http://a', flavor: Auto}]",
            "- alertmanagers[0].flavor: unknown key",
        ),
        (
            "hooks: {endpoints: [{name: a, url: 'http://a'}]}",
            "- hooks.endpoints[0].secretFile: Field required",
        ),
        (
            "hooks: {endpoints: [{name: a, url: 'http://a', secretFile: /no/such/file}]}",
            "- hooks.endpoints[0].secretFile: is not a file; correct the path, or mount what it names",
        ),
        (
            f"prometheus: [{{name: a, url: 'https://a', caFile: /{'x' * 300}}}]",
            "- prometheus[0].caFile: is not a file; correct the path, or mount what it names",
        ),
        (
            f"alertmanagers: [{{name: a, url: 'http://a', caFile: {HERE}}}]",
            "- alertmanagers[0].caFile: has no effect without TLS; begin url with https, or remove it",
        ),
        (
            f"hooks: {{endpoints: [{{name: a, url: 'http://a', secretFile: {HERE}, caFile: {HERE}}}]}}",
            "- hooks.endpoints[0].caFile: has no effect without TLS; begin url with https, or remove it",
        ),
        (
            f"hooks: {{endpoints: [{{name: a, url: 'http://u:p@a', secretFile: {HERE}}}]}}",
            "must not contain a user or password; requests are signed with secretFile",
        ),
        (
            f"hooks: {{endpoints: [{{name: a, url: 'http://a/?key=1', secretFile: {HERE}}}]}}",
            "must not contain a query or a fragment; give an address that ends with a path",
        ),
        (
            "hooks: {endpoints: [{name: a, url: 'http://a', secret: s3cr3t}]}",
            "- hooks.endpoints[0].secret: unknown key; did you mean secretFile?",
        ),
        ("links: {dashboard: '/x'}", "- links.dashboard: must be an address such as"),
        (
            "alertSeverities: {AgentRolloutBlind: page}",
            "- alertSeverities.AgentRolloutBlind: Input should be",
        ),
        ("alertSeverities: {NoSuchAlert: info}", "- alertSeverities.NoSuchAlert"),
        ("gateways: [{namespaces: [a]}]", "- gateways[0].gateways: Field required"),
        ("gateways: [{gateways: [public]}]", "- gateways[0].gateways[0]: String should match"),
        ("gateways: [{gateways: [a/b], hosts: ['*']}]", "- gateways[0].hosts[0]: String should match"),
        ("gateways: [{gateways: [a/b], hosts: ['*foo.com']}]", "- gateways[0].hosts[0]: String should match"),
        ("gateways: [{gateways: [a/b], hosts: ['a.*.com']}]", "- gateways[0].hosts[0]: String should match"),
        ("gateways: [{gateways: [a/b], namespaces: ['[ab]']}]", "- gateways[0].namespaces[0]: String should"),
    ],
)
def test_a_wrong_file_is_told_in_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    """Whatever stands in the file, the answer is a SettingsError that names the file."""
    lines = refusal(tmp_path, text)
    assert lines[0].startswith("The settings file FILE ")
    assert said in "\n".join(lines)


def test_a_missing_or_binary_or_endless_file_is_told(tmp_path: Path) -> None:
    """What cannot be read is an error like any other."""
    with pytest.raises(SettingsError, match="No such file or directory"):
        load(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load(tmp_path / "binary")
    with pytest.raises(SettingsError, match="longer than"):
        load(Path("/dev/zero"))


@pytest.mark.parametrize("kind", ["prometheus", "alertmanagers"])
def test_values_of_headers_are_never_shown(kind: str, tmp_path: Path) -> None:
    """A header's value is in no repr and in no error; it is given out for the redaction of logs."""
    text = f"{kind}: [{{name: a, url: 'http://a', headers: {{Authorization: {SECRET}}}}}]"
    settings = load(written(tmp_path, text))
    assert SECRET not in repr(settings)
    assert SECRET not in settings.model_dump_json()
    assert list(settings.secrets()) == [SECRET]
    assert SECRET not in "".join(refusal(tmp_path, text.replace("headers", "Header")))


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    """Settings are a value: nobody can change what another reads."""
    settings = load(written(tmp_path, "{}"))
    with pytest.raises(ValueError, match="frozen"):
        settings.workers = 3  # type: ignore[misc]  # what the test is about


def test_every_setting_is_explained() -> None:
    """Each field of each section has a sentence."""
    for section in (Settings, PrometheusSource, Alertmanager, Links, Limits, Serve, Log):
        for name, field in section.model_fields.items():
            assert (field.description or "").endswith("."), f"{section.__name__}.{name}"


def test_a_wrong_file_at_the_start_is_an_error(tmp_path: Path) -> None:
    """There are no old settings to go on with."""
    with pytest.raises(SettingsError):
        Watcher(written(tmp_path, "workers: none"))


def test_a_good_change_replaces_the_settings_once(tmp_path: Path) -> None:
    """A change is news once; a look at an unchanged file gives nothing."""
    path = written(tmp_path, "workers: 2")
    watcher = Watcher(path)
    assert watcher.look() is None
    path.write_text("workers: 3")
    assert watcher.look() == Settings(workers=3)
    assert watcher.settings == Settings(workers=3)
    assert watcher.look() is None


def test_a_wrong_change_keeps_the_old_settings_and_is_told_once(tmp_path: Path) -> None:
    """A wrong file, or none, changes nothing; when it is good again, that is news."""
    path = written(tmp_path, "workers: 2")
    watcher = Watcher(path)
    path.write_text("workers: none")
    assert "workers" in str(watcher.look())
    assert watcher.look() is None
    path.unlink()
    assert "No such file" in str(watcher.look())
    assert watcher.look() is None
    assert watcher.settings == Settings(workers=2)
    path.write_text("workers: 2")
    assert watcher.look() == Settings(workers=2)


def test_the_swap_of_a_mounted_configmap_is_noticed(tmp_path: Path) -> None:
    """The kubelet replaces a folder behind a symlink; sizes and times of the files may even be equal."""
    for name, text in (("one", "workers: 2"), ("two", "workers: 3")):
        (tmp_path / name).mkdir()
        file = written(tmp_path / name, text)
        os.utime(file, (1, 1))
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "settings.yaml").symlink_to("..data/settings.yaml")
    watcher = Watcher(tmp_path / "settings.yaml")
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(tmp_path / "..data")
    assert watcher.look() == Settings(workers=3)


async def test_changes_yields_what_is_new(tmp_path: Path) -> None:
    """The generator gives good and wrong changes in their order and nothing between."""
    path = written(tmp_path, "workers: 2")
    changes = Watcher(path).changes(every_seconds=0.001)
    path.write_text("workers: 3")
    assert await anext(changes) == Settings(workers=3)
    path.write_text("workers: none")
    assert isinstance(await anext(changes), SettingsError)
    await changes.aclose()
