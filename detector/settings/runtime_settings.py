"""What is watched."""

from __future__ import annotations

from detector.settings.parsers import build_choice_parser, parse_name, parse_names, parse_optional
from detector.settings.setting import Setting, add_count, add_setting

RUNTIME = add_setting(
    "RUNTIME", "aegis-pt-core", "name", "Name of the watched runtime, in signatures.", parse_name
)
PROFILE = add_setting(
    "PROFILE", "aegis", "name or path", "Where each fact is found in the payloads.", parse_name
)
ECS_SERVICE = add_setting(
    "ECS_SERVICE", "aegis-pt-core", "name", "The ECS service that runs the runtime.", parse_name
)
EXPECTED_TASKS = add_count("EXPECTED_TASKS", 1, "Tasks that should run: one primary.", minimum=0)
TRADER_CONTAINER = add_setting(
    "TRADER_CONTAINER",
    "lt-ibkr-trader",
    "name",
    "The container that makes a task a runtime task.",
    parse_name,
)
GATEWAY_CONTAINER = add_setting(
    "GATEWAY_CONTAINER", "ibkr-gateway", "name", "The container of the IBKR gateway.", parse_name
)
STANDBY_PATTERN = add_setting(
    "STANDBY_PATTERN", "aegis-lt-ibkr-*", "glob", "Standby containers that must stay exited.", parse_name
)
REQUIRED: Setting[tuple[str, ...]] = add_setting(
    "REQUIRED", ("heartbeat_at",), "facts", "Facts that a collected status must carry, by comma.", parse_names
)
IBKR_REGION = add_setting(
    "IBKR_REGION",
    "america",
    "region",
    "Home region of the account: america, europe or asia.",
    build_choice_parser("america", "europe", "asia"),
)
MARKET_CLOSURES = add_setting(
    "MARKET_CLOSURES", "", "path", "TOML file of market closures announced at short notice.", parse_optional
)
