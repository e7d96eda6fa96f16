"""Inputs: a server whose objects have any size. Outputs: the parts in which they are listed."""

import asyncio
import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from agentrollouts.adapters.cluster.client import Cluster
from agentrollouts.adapters.cluster.pages import PAGE_BYTES
from tests.adapters.cluster.test_client import kubeconfig
from tests.adapters.server import answer, serving


async def test_a_list_reads_no_more_at_a_time_than_has_room(tmp_path: Path) -> None:
    """Of large objects a few are listed at a time, and one that is larger than any part is read alone."""
    sizes = [10] * 60 + [PAGE_BYTES * 2 // 5] * 9 + [PAGE_BYTES + 1] + [10] * 20
    sent_bytes: list[int] = []

    async def lists(writer: asyncio.StreamWriter) -> None:
        query = parse_qs(urlsplit(server.requests[-1].line.split()[1]).query)
        first, limit = int(query.get("continue", ["0"])[0]), int(query["limit"][0])
        items = [{"metadata": {"name": str(index)}, "x": "x" * size} for index, size in enumerate(sizes)]
        part = items[first : first + limit]
        sent_bytes.append(sum(len(item["x"]) for item in part))
        more = {"continue": str(first + limit)} if first + limit < len(sizes) else {}
        await answer(200, json.dumps({"items": part, "metadata": more}).encode())(writer)

    async with serving(lists) as server:
        cluster = await Cluster.connect(kubeconfig(tmp_path, server.url, {}))
        pages = [page async for page in cluster.pages("ConfigMap")]
        await cluster.close()
    names = [manifest["metadata"]["name"] for page in pages for manifest in page]
    assert names == [str(index) for index in range(len(sizes))]
    read = [sum(len(manifest["x"]) for manifest in page) for page in pages]
    assert max(size for size, page in zip(read, pages, strict=True) if len(page) > 1) <= PAGE_BYTES
    assert len(sent_bytes) < 2 * len(pages)


async def test_an_object_that_is_too_deep_hides_no_other(tmp_path: Path) -> None:
    """The API server takes 9,990 levels, which no parser of Python 3.11 reads; the object is in the list."""
    deep = '{"a":' * 9_990 + "1" + "}" * 9_990
    item = '{"metadata": {"name": "deep"}, "spec": ' + deep + "}"
    body = '{"items": [' + item + ', {"metadata": {"name": "flat"}}], "metadata": {}}'
    async with serving(answer(200, body.encode())) as server:
        cluster = await Cluster.connect(kubeconfig(tmp_path, server.url, {}))
        listed = await cluster.list("AgentRelease")
        await cluster.close()
    assert [manifest["metadata"]["name"] for manifest in listed] == ["deep", "flat"]
    assert listed[0]["spec"].keys() == {"a"}
