"""What can go wrong in the sandbox, each with a sentence for the person who sees it.

The command line prints these and exits 1; anything else is a bug and keeps its traceback.
"""


class SandboxError(Exception):
    """A sandbox cannot start or go on; the text says why and what would help."""


class MissingPartError(SandboxError):
    """A program that the sandbox needs is neither installed nor built."""


class DownloadError(SandboxError):
    """A release did not arrive, or is not what its pinned checksum promises; the part is built instead."""


class NamespaceError(SandboxError):
    """The kernel refuses the namespaces that a sandbox lives in."""


class ProcessError(SandboxError):
    """A program of the sandbox did not start, or ended by itself."""


class CommandError(SandboxError):
    """A command such as kubectl failed; the text holds what it printed."""
