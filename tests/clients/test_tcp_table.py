"""Stuck connections, by the kernel's own table and as BSD's netstat prints it."""

from __future__ import annotations

import socket
import time

import pytest

from detector.clients.tcp_table import count_close_wait, count_netstat_rows

NETSTAT = """Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)
tcp4       0      0  127.0.0.1.4002         127.0.0.1.50001        CLOSE_WAIT
tcp4      17      0  127.0.0.1.4002         127.0.0.1.50002        CLOSE_WAIT
tcp6       0      0  ::1.4002               ::1.50003              CLOSE_WAIT
tcp4       0      0  127.0.0.1.4002         127.0.0.1.50004        ESTABLISHED
tcp4       0      0  127.0.0.1.50005        127.0.0.1.4002         CLOSE_WAIT
tcp4       0      0  127.0.0.1.14002        127.0.0.1.50006        CLOSE_WAIT
"""


def test_netstat_rows_of_that_local_port():
    assert count_netstat_rows(NETSTAT, 4002) == 3
    assert count_netstat_rows(NETSTAT, 7497) == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::ffff:127.0.0.1"])
def test_a_connection_that_its_server_does_not_close_is_counted(host):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        server, _ = listener.accept()
        with server:
            assert count_close_wait(host, port) == 0
            client.close()
            deadline = time.monotonic() + 5
            while count_close_wait(host, port) != 1 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert count_close_wait(host, port) == 1
        assert count_close_wait(host, port) == 0


def test_the_table_of_another_host_is_not_this_one():
    assert count_close_wait("192.0.2.1", 4002) == 0
