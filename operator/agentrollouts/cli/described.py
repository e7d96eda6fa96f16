"""A subcommand whose help is a page of text."""

import argparse


def described(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str, page: str
) -> argparse.ArgumentParser:
    """Declare the subcommand; its page is printed as it stands, its summary in the list of all."""
    return commands.add_parser(
        name, help=summary, description=page, formatter_class=argparse.RawDescriptionHelpFormatter
    )
