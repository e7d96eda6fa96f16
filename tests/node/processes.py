"""The processes in the pods, as the kernel of their node sees them."""

from pathlib import Path


def find_process(variable: str, command: str) -> int | None:
    """The process with this variable in its environment and this text in its command, with NUL between words.

    Returns:
        Its id outside of the pod; None if there is none.
    """
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # ended meanwhile
        if variable.encode() in environment and command.encode() in words:
            return int(folder.name)
    return None
