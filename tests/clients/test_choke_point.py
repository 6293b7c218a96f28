"""One choke point: no client that can open a socket or a store, and no process, is begun anywhere else."""

from __future__ import annotations

import ast

import pytest

from tests.support.snapshots import ROOT

PACKAGE = ROOT / "detector"
OPEN_SOCKETS = {
    "socket", "ssl", "http", "ftplib", "smtplib", "telnetlib", "xmlrpc", "socketserver", "asyncio", "selectors",
    "httpx", "httpcore", "boto3", "botocore", "urllib3", "requests", "aiohttp", "websockets", "slack_sdk", "docker",
    "subprocess", "multiprocessing", "pty", "sqlite3",
}  # fmt: skip
ALSO = {"urllib.request", "os.system", "os.popen", "os.execv", "os.posix_spawn", "logging.handlers"}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "clients" not in path.relative_to(PACKAGE).parts)


def reached(tree: ast.AST) -> set[str]:
    """Every module that is imported and every dotted name that is used, whole and by its parents."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names.add(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("import_module", "__import__"):
            names |= {
                arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            }
    return names


def begins_clients(text: str) -> set[str]:
    names = reached(ast.parse(text))
    return {name for name in names if name.partition(".")[0] in OPEN_SOCKETS} | (names & ALSO)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_client_is_built_elsewhere(path):
    assert begins_clients(path.read_text()) == set()


@pytest.mark.parametrize(
    "text",
    [
        "import boto3", "from boto3.session import Session", "def f():\n    import httpx", "from os import system",
        "import os\nos.system('x')", "import urllib.request", "from urllib import request",
        "import_module('slack_sdk.webhook')", "import http.client as c", "from sqlite3 import connect",
    ],
)  # fmt: skip
def test_the_test_itself_sees_one(text):
    assert begins_clients(text)
