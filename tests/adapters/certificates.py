"""Authorities and certificates for servers on loopback, made by the openssl of the system."""

import ssl
import subprocess
from pathlib import Path
from typing import Final

KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
HERE: Final = "IP:127.0.0.1"
"""The address of the servers of tests, as a certificate names it."""


class Authority:
    """A certificate authority with files of its own.

    Args:
        folder: Where the files are.
        name: What it is called.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key, self.file = folder / f"{name}.key", folder / f"{name}.crt"
        _openssl("req", "-x509", *KEY, "-keyout", self._key, "-out", self.file, "-subj", f"/CN={name}")

    def server(self, **fields: str | int) -> ssl.SSLContext:
        """What a server listens with, by `certify`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.certify(context, **fields)  # type: ignore[arg-type]  # the same keywords
        return context

    def certify(self, context: ssl.SSLContext, *, host: str = HERE, days: int = 1) -> None:
        """Give a server a certificate, which new connections get.

        Args:
            context: What the server listens with.
            host: The alternative name of the certificate.
            days: How long it is valid; expired if negative.
        """
        key, request, certificate = (self._folder / f"server.{end}" for end in ("key", "csr", "crt"))
        subject = ("-subj", "/CN=server", "-addext", f"subjectAltName={host}")
        _openssl("req", *KEY, "-keyout", key, "-out", request, *subject)
        signer = ("-CA", self.file, "-CAkey", self._key, "-CAcreateserial", "-copy_extensions", "copy")
        _openssl("x509", "-req", "-in", request, *signer, "-days", str(days), "-out", certificate)
        context.load_cert_chain(certificate, key)


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)  # noqa: S603, S607 - words of ours
