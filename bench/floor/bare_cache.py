"""The least that kopf can do at rest: it sees every rollout and keeps it as compressed JSON.

Run as a process of its own, `python -m bench.floor.bare_cache`. What the operator's memory and start are
compared with.
"""

import json
import os
import zlib
from typing import Final

import kopf

SIZE_VARIABLE: Final = "BENCH_SIZE"
ALL_SEEN: Final = "all are kept"

kept: dict[str, bytes] = {}


@kopf.on.startup()
async def configure(settings: kopf.OperatorSettings, **_: object) -> None:
    """Nothing is posted."""
    settings.posting.enabled = False


@kopf.on.event("agentrollouts.dev", "v1alpha1", "agentrollouts")
async def keep(body: kopf.Body, **_: object) -> None:
    """Keep it; once so many are kept, say so."""
    kept[body["metadata"]["uid"]] = zlib.compress(json.dumps(dict(body)).encode())
    if len(kept) == int(os.environ[SIZE_VARIABLE]):
        print(ALL_SEEN, flush=True)


if __name__ == "__main__":
    kopf.run(standalone=True, clusterwide=True)
