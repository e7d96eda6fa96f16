"""Signals as a terminal has them."""

import signal


def with_ctrl_c() -> None:
    """Let SIGINT end this process: a shell starts its background jobs without that, and they hand it down."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
