"""The proof of 'offline': the socket guard that every other test runs under does block, here and in children."""

import socket
import subprocess
import sys
import urllib.request

import pytest

OUTSIDE = "192.0.2.1"  # reserved for documentation (RFC 5737): never a real host


def test_connection_to_the_outside_is_blocked():
    with pytest.raises(OSError, match="network off"), socket.socket() as outside:
        outside.connect((OUTSIDE, 80))


def test_name_lookup_is_blocked():
    with pytest.raises(OSError, match="network off"):
        urllib.request.urlopen("http://example.invalid", timeout=1)


def test_child_processes_are_blocked_too():
    code = f"import socket; socket.create_connection(('{OUTSIDE}', 80))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "network off" in child.stderr


def test_loopback_works():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass
