"""What is watched."""

from __future__ import annotations

from detector.settings.kinds import name, names, one_of, optional
from detector.settings.setting import Setting, count, declare

RUNTIME = declare("RUNTIME", "aegis-pt-core", "name", "Name of the watched runtime, in signatures.", name)
PROFILE = declare("PROFILE", "aegis", "name or path", "Where each fact is found in the payloads.", name)
ECS_SERVICE = declare("ECS_SERVICE", "aegis-pt-core", "name", "The ECS service that runs the runtime.", name)
EXPECTED_TASKS = count("EXPECTED_TASKS", 1, "Tasks that should run: one primary.", least=0)
TRADER_CONTAINER = declare(
    "TRADER_CONTAINER", "lt-ibkr-trader", "name", "The container that makes a task a runtime task.", name
)
GATEWAY_CONTAINER = declare(
    "GATEWAY_CONTAINER", "ibkr-gateway", "name", "The container of the IBKR gateway.", name
)
STANDBY_PATTERN = declare(
    "STANDBY_PATTERN", "aegis-lt-ibkr-*", "glob", "Standby containers that must stay exited.", name
)
REQUIRED: Setting[tuple[str, ...]] = declare(
    "REQUIRED", ("heartbeat_at",), "facts", "Facts that a collected status must carry, by comma.", names
)
IBKR_REGION = declare(
    "IBKR_REGION",
    "america",
    "region",
    "Home region of the account: america, europe or asia.",
    one_of("america", "europe", "asia"),
)
MARKET_CLOSURES = declare(
    "MARKET_CLOSURES", "", "path", "TOML file of market closures announced at short notice.", optional
)
