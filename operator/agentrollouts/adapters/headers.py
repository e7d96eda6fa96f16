"""The headers that a server of the settings gets, with their secrets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr


class Headed(Protocol):
    """What the settings say about headers."""

    @property
    def bearer_token_file(self) -> Path | None:
        """File of the token."""

    @property
    def headers(self) -> Mapping[str, SecretStr]:
        """Headers with their values."""

    @property
    def header_files(self) -> Mapping[str, Path]:
        """Headers with their values in files."""


def headers_of(server: Headed) -> dict[str, str]:
    """Headers with secrets, read for each request, since tokens rotate.

    Raises:
        OSError: a file is not readable.
    """
    inline = {name: value.get_secret_value() for name, value in server.headers.items()}
    filed = {name: path.read_text().strip() for name, path in server.header_files.items()}
    token = server.bearer_token_file
    bearer = {"Authorization": f"Bearer {token.read_text().strip()}"} if token else {}
    return inline | filed | bearer
