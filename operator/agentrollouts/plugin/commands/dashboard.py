"""`kubectl agentrollout dashboard`: the page, served on this machine with the rights of the caller.

The page needs a web server, which no other command loads, so it is a program of its own that takes our place.
"""

import os
import sys

import click

from agentrollouts.plugin.context import namespace_of
from agentrollouts.plugin.kubectl import program
from agentrollouts.plugin.options import Session, Verb

HELP = """\
Serve a page of all rollouts on this machine, with your own rights, until Ctrl-C.

\b
Examples:
  kubectl agentrollout dashboard
  kubectl agentrollout dashboard -n support --port 8080 --no-open"""


@click.command(cls=Verb, help=HELP, short_help="Serve a page of all rollouts on this machine.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port. Defaults to a free one.")
@click.option("--no-open", is_flag=True, help="Print the link and open no browser.")
def command(*, port: int, no_open: bool) -> None:
    """Run it; `-P` so that no module of the current folder is taken for one of ours."""
    session = click.get_current_context().ensure_object(Session)
    page = [sys.executable, "-P", "-m", "agentrollouts.dashboard", f"--kubectl={program()}", f"--port={port}"]
    page += ["--no-open"] if no_open else []
    page.append(f"--current-namespace={namespace_of(session.kubectl)}")
    os.execv(page[0], [*page, *session.flags])  # noqa: S606 no shell: the program is this Python
