"""Prometheus with one-second scrapes, and a folder of targets that may change while it runs.

Targets come from files because Prometheus watches those: an agent that starts later is scraped about a second
after its file was written, without a reload; up to five where another target came or went just before.
"""

import functools
import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from sandbox.isolation import namespace
from sandbox.programs import web
from sandbox.programs.process import Process

URL = f"http://{namespace.ADDRESSES[0]}:9090"
SCRAPE_SECONDS = 1


class Monitoring:
    """Prometheus and its targets.

    Args:
        program: the Prometheus server.
        folder: for its configuration, targets and data; best in memory.
        logs: a folder for its log.
    """

    def __init__(self, program: Path, folder: Path, logs: Path) -> None:
        self._targets = folder / "targets"
        self._config = folder / "prometheus.yaml"
        flags = [
            f"--config.file={self._config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={URL.removeprefix('http://')}",
            "--scrape.discovery-reload-interval=100ms",  # by default a new target waits for five seconds
        ]
        self.process = Process(
            "prometheus",
            [program, *flags],
            logs / "prometheus.log",
            healthy=functools.partial(web.answers, f"{URL}/-/ready"),
        )

    def launch(self) -> None:
        """Write the configuration and start Prometheus, without waiting.

        Raises:
            ProcessError: the program cannot be executed.
        """
        self._targets.mkdir(parents=True, exist_ok=True)
        # No refresh_interval: the watch of the folder is enough, and after frequent refreshes of what has not
        # changed Prometheus passes news on only every five seconds.
        discovery = {"files": [f"{self._targets}/*.json"]}
        every = f"{SCRAPE_SECONDS}s"
        config = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "scrape_configs": [{"job_name": "sandbox", "file_sd_configs": [discovery]}],
        }
        self._config.write_text(yaml.safe_dump(config))
        self.process.launch()

    def add_target(self, name: str, address: str, labels: Mapping[str, str]) -> None:
        """Scrape `http://<address>/metrics` from now on, or change what is known of a target.

        Args:
            name: identifies the target, for `remove_target`.
            address: host and port.
            labels: added to each of its series, such as `namespace`; a series' own label of the same name is
                then called `exported_...`, as in any Prometheus.
        """
        draft = self._targets / f"{name}.draft"
        draft.write_text(json.dumps([{"targets": [address], "labels": dict(labels)}]))
        draft.rename(self._targets / f"{name}.json")

    def remove_target(self, name: str) -> None:
        """Stop scraping a target; nothing happens if it is unknown."""
        (self._targets / f"{name}.json").unlink(missing_ok=True)
