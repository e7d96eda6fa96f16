"""TLS with servers of the settings: whom to trust, and what is wrong with a server or with the settings.

Nothing of a certificate or of an exception is repeated: it is the text of someone else.
"""

import ssl
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

EXPIRED: Final = 10
NOT_YET_VALID: Final = 9
OTHER_NAMES: Final = frozenset({62, 64})
"""Codes of OpenSSL (X509_V_ERR) for a certificate that is refused: its time, and its names and addresses."""
NOT_TLS: Final = frozenset(
    {"HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "WRONG_VERSION_NUMBER"}
)
"""How OpenSSL calls bytes that are not TLS; its versions differ."""


class Trouble(NamedTuple):
    """What is wrong with TLS, and what an administrator can do, both as parts of a sentence."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem}; {self.remedy}"


class TrustError(ValueError):
    """The file with the certificates to trust cannot be used."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        """What is wrong with it, as a predicate."""


def trust_of(url: str, ca_file: Path | None) -> ssl.SSLContext | None:
    """Whom to trust at an address; None without TLS. Read for each connection, since certificates rotate.

    Raises:
        TrustError: the file cannot be read, or has no certificates.
    """
    if urlsplit(url).scheme != "https":
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise TrustError("contains no certificates in PEM format") from None
    except OSError as error:
        raise TrustError(f"cannot be read: {error.strerror}") from None


def trouble_of(error: BaseException, section: str, ca_file: Path | None) -> Trouble | None:
    """What is wrong with the TLS of a server, or with its file; None if an error is not about that.

    Args:
        error: What a request, or `trust_of`, raised.
        section: Path of the server in the settings.
        ca_file: The certificates that were trusted instead of the system's.
    """
    if isinstance(error, TrustError):
        return Trouble(f"{section}.caFile {error.problem}", "correct it")
    cause = _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _distrust(cause.verify_code, section, ca_file)
    if cause is None:
        return None
    if cause.reason in NOT_TLS:
        return Trouble("it does not speak TLS", f"correct {section}.url")
    reason = (cause.reason or "the connection was closed").replace("_", " ").lower()
    return Trouble(f"TLS failed ({reason})", f"check {section}.url and the server")


def advice_of(url: str, section: str) -> str:
    """What can be wrong if a server gives no response of HTTP: a clause, empty for an address with TLS.

    Args:
        url: The address.
        section: Path of the server in the settings.
    """
    return f"; if it uses TLS, begin {section}.url with https" if urlsplit(url).scheme == "http" else ""


def _distrust(code: int, section: str, ca_file: Path | None) -> Trouble:
    if code == EXPIRED:
        return Trouble("its certificate has expired", "renew it")
    if code == NOT_YET_VALID:
        return Trouble("its certificate is not valid yet", "check the clocks of both")
    if code in OTHER_NAMES:
        return Trouble("its certificate is for another host", f"correct {section}.url or the certificate")
    if ca_file is None:
        return Trouble("the system does not trust its certificate", f"set {section}.caFile")
    return Trouble(f"{section}.caFile does not trust its certificate", "correct one of them")


def _cause(error: BaseException | None) -> ssl.SSLError | None:
    """The error of OpenSSL at the bottom of an exception, if there is one.

    Those of aiohttp are such errors themselves, without what they were made from.
    """
    found = None
    while error is not None:
        found = error if isinstance(error, ssl.SSLError) else found
        error = error.__cause__ or error.__context__
    return found
