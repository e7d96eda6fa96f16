"""The few kernel calls that Python 3.11 has no function for.

Used by `namespace` alone. Everything goes through the C library's own wrappers, so numbers of system calls
do not matter here and every Linux architecture works.
"""

import ctypes
import fcntl
import ipaddress
import os
import signal
import socket
import struct

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_PR_SET_PDEATHSIG = 1
_SIOCSIFFLAGS = 0x8914
_SIOCSIFADDR = 0x8916
_SIOCSIFNETMASK = 0x891C
_IFF_UP = 1

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Move this process (and, for PIDs, its later children) into new namespaces.

    Raises:
        OSError: the kernel refused.
    """
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def make_mounts_private() -> None:
    """Keep mounts made from here on out of the namespace we came from.

    Raises:
        OSError: the kernel refused.
    """
    flags = ctypes.c_ulong(_MS_REC | _MS_PRIVATE)
    _check(_libc.mount(b"none", b"/", None, flags, None), "mount /")


def mount(kind: str, target: str) -> None:
    """Mount a file system without a device, such as `proc` or `tmpfs`, on a folder.

    Raises:
        OSError: the kernel refused, or the folder is not there.
    """
    _check(
        _libc.mount(kind.encode(), target.encode(), kind.encode(), ctypes.c_ulong(0), None), f"mount {target}"
    )


def die_with_parent() -> None:
    """Ask for SIGKILL the moment the parent process ends, however it ends.

    Raises:
        OSError: the kernel refused.
    """
    _check(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL)), "prctl")


def raise_loopback(addresses: list[str]) -> None:
    """Switch the loopback device on and give it further /32 addresses.

    By ioctl, not by the `ip` command, which small systems lack. An address beyond the first needs a label of
    its own (`lo:1`, `lo:2`).

    Raises:
        OSError: the kernel refused.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))
        for number, address in enumerate(addresses, start=1):
            label = f"lo:{number}".encode()
            fcntl.ioctl(control, _SIOCSIFADDR, _address_request(label, address))
            fcntl.ioctl(control, _SIOCSIFNETMASK, _address_request(label, "255.255.255.255"))


def _address_request(label: bytes, address: str) -> bytes:
    """Build a `struct ifreq` that holds one IPv4 address."""
    packed = ipaddress.IPv4Address(address).packed
    return struct.pack("16sHH4s16x", label, socket.AF_INET, 0, packed)


def _check(result: int, call: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
