"""Prints every block of every page: its place, its language and the test that judges it."""

import sys

from tests.docs.blocks.found import every
from tests.docs.blocks.test_inventory import JUDGES

if __name__ == "__main__":
    for block in every():
        sys.stdout.write(f"{block.place:60} {block.language:10} {JUDGES.get(block.language, 'nothing')}\n")
