"""The watched runtime: the seven limits of the founding runbook, its names, and its sources."""

from __future__ import annotations

from detector.settings.setting import (
    Setting,
    add_count,
    add_seconds,
    add_setting,
    build_choice_parser,
    build_int_parser,
    build_url_parser,
    parse_address,
    parse_aws_account,
    parse_aws_name,
    parse_digits,
    parse_name,
    parse_names,
    parse_optional,
    parse_port,
    parse_processes,
    parse_restarts,
    parse_sections,
    parse_timeout,
    parse_token,
    parse_ups,
    parse_zone,
)

# The seven limits of the founding runbook, names and defaults to the letter.
HEARTBEAT_STALE_SEC = add_seconds(
    "HEARTBEAT_STALE_SEC", 300, "Critical heartbeat-stale threshold during market hours."
)
PENDING_ORDER_WARN = add_count("PENDING_ORDER_WARN", 2, "Warn when pending orders reach this count.")
PENDING_ORDER_CRITICAL = add_count("PENDING_ORDER_CRITICAL", 3, "Critical pending-order buildup threshold.")
MARKET_DATA_10197_WARN = add_count(
    "MARKET_DATA_10197_WARN", 10, "Warn on sustained market-data 10197 after open grace."
)
HIGH_EXIT_ATTEMPT_WARN = add_count(
    "HIGH_EXIT_ATTEMPT_WARN", 12, "Warn when an open position's exit attempts reach this count."
)
HIGH_EXIT_ATTEMPT_CRITICAL = add_count(
    "HIGH_EXIT_ATTEMPT_CRITICAL", 20, "Critical high-exit-attempt threshold, before market-order escalation."
)
OPEN_GRACE_MINUTE = add_setting(
    "OPEN_GRACE_MINUTE",
    35,
    "minutes after 09:00 ET",
    "The market is past open grace from this minute: 35 is 09:35 ET.",
    build_int_parser(30, 89),
)


# The runtime's names.
RUNTIME = add_setting(
    "RUNTIME", "aegis-pt-core", "name", "Name of the watched runtime, in signatures.", parse_name
)
PROFILE = add_setting(
    "PROFILE", "aegis", "name or path", "Where each fact is found in the payloads.", parse_name
)
ECS_SERVICE = add_setting(
    "ECS_SERVICE",
    "aegis-pt-core",
    "name",
    "The ECS service that runs the runtime.",
    lambda text: parse_name(parse_aws_name(text)),
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
RESTART_AT: Setting[tuple[str, ...]] = add_setting(
    "RESTART_AT",
    (),
    "times",
    "When the gateway restarts by plan, by comma, at most four: 23:45 America/New_York. It is quiet for"
    " 300 s then.",
    parse_restarts,
)
GATEWAY_ZONE = add_setting(
    "GATEWAY_ZONE",
    "",
    "zone",
    "The gateway's zone, in which its launcher logs when it restarts by plan, and of TWS's times that name"
    " none; empty: the profile's zone.",
    parse_zone,
)
MARKET_CLOSURES = add_setting(
    "MARKET_CLOSURES", "", "path", "TOML file of market closures announced at short notice.", parse_optional
)


# Sources: each is off until its own setting is set; removing a setting retires nothing.
STATUS_URL = add_setting(
    "STATUS_URL", "", "URL", "The dashboard's status payload.", build_url_parser("http", "https"), source=True
)
STATUS_TOKEN = add_setting(
    "STATUS_TOKEN", "", "token", "Bearer token for the dashboard.", parse_token, secret=True
)
STATUS_USER = add_setting("STATUS_USER", "", "name", "User for the dashboard's basic auth.", parse_optional)
STATUS_PASSWORD = add_setting(
    "STATUS_PASSWORD", "", "password", "Password for the dashboard's basic auth.", parse_optional, secret=True
)
BOT_STATUS_URL = add_setting(
    "BOT_STATUS_URL",
    "",
    "URL",
    "The bot's own status payload.",
    build_url_parser("http", "https"),
    source=True,
)
BOT_STATUS_TOKEN = add_setting(
    "BOT_STATUS_TOKEN",
    "",
    "token",
    "Bearer token for the bot's status, where its host is not the dashboard's.",
    parse_token,
    secret=True,
)
ACCOUNT = add_setting(
    "ACCOUNT",
    "",
    "account id",
    "The runtime's account at the broker; what is read of another one is not about this runtime.",
    parse_optional,
)
SIGNALS_OFF: Setting[tuple[str, ...]] = add_setting(
    "SIGNALS_OFF",
    (),
    "golden signals",
    "Golden signals that this runtime does not have, by comma: they leave the count of the coverage.",
    parse_names,
)
STATUS_AS_OF: Setting[tuple[str, ...]] = add_setting(
    "STATUS_AS_OF",
    ("as_of", "generated_at"),
    "keys",
    "Keys at the top of a status payload that say when it was made, by comma; "
    "the first that is there counts. A profile's [time] adds its own.",
    parse_names,
)
ECS_CLUSTER = add_setting(
    "ECS_CLUSTER", "", "name", "The ECS cluster of the runtime.", parse_aws_name, source=True
)
LOG_GROUP = add_setting(
    "LOG_GROUP", "", "name", "The CloudWatch log group of the runtime.", parse_optional, source=True
)
AWS_REGION = add_setting("AWS_REGION", "", "name", "Region of the cluster and the log group.", parse_optional)
AWS_PROFILE = add_setting(
    "AWS_PROFILE", "", "name", "Profile of the AWS configuration that is read with.", parse_optional
)
AWS_AMBIENT = add_setting(
    "AWS_AMBIENT",
    "0",
    "0 or 1",
    "1 takes the credentials of the environment, such as those of a workflow's OIDC.",
    build_choice_parser("0", "1"),
)
AWS_ACCOUNT = add_setting(
    "AWS_ACCOUNT",
    "",
    "12 digits",
    "The AWS account; with the credentials of another one nothing is read.",
    parse_aws_account,
    secret=True,
)
STANDBY_DOCKER_URL = add_setting(
    "STANDBY_DOCKER_URL",
    "",
    "URL",
    "The standby host's Docker Engine API: tcp://, http://, https:// or unix:///path.",
    build_url_parser("tcp", "http", "https", "unix"),
    source=True,
)
SECTIONS_FROM: Setting[tuple[str, ...]] = add_setting(
    "SECTIONS",
    (),
    "section=place",
    "Sections that are read from a file or a URL, by comma.",
    parse_sections,
    source=True,
)
SOURCES_OFF: Setting[tuple[str, ...]] = add_setting(
    "SOURCES_OFF",
    (),
    "sections",
    "Sections that are switched off for good, by comma: what was raised from them alone is retired.",
    parse_names,
    source=True,
)
SOURCE_TIMEOUT_SEC: Setting[float] = add_setting(
    "SOURCE_TIMEOUT_SEC", 10, "seconds", "A source must have answered in whole by then.", parse_timeout
)
COLLECT_TIMEOUT_SEC: Setting[float] = add_setting(
    "COLLECT_TIMEOUT_SEC", 60, "seconds", "All sources together must have answered by then.", parse_timeout
)
CA_FILE = add_setting(
    "CA_FILE", "", "path", "PEM file of further authorities that certificates may come from.", parse_optional
)
STORES_DB = add_setting(
    "STORES_DB",
    "",
    "path",
    "The runtime's own SQLite file; it is read and never written, not even locked where it has a log.",
    parse_optional,
    source=True,
)
TWS_ADDRESS = add_setting(
    "TWS_ADDRESS",
    "",
    "host:port",
    "The API socket of TWS or IB Gateway, read through ib_async (the extra [ibkr]).",
    parse_address,
    source=True,
)
TWS_CLIENT_ID = add_setting(
    "TWS_CLIENT_ID",
    7417,
    "count",
    "The API client id of this program: its own, never 0 and never the bot's.",
    build_int_parser(1, 2**31 - 1),
)
GATEWAY_PORT = add_setting(
    "GATEWAY_PORT",
    "",
    "port",
    "The gateway's API port on this machine; the kernel's tables are read, and no socket is opened.",
    parse_port,
    source=True,
)
GATEWAY_HANDSHAKE = add_setting(
    "GATEWAY_HANDSHAKE",
    "0",
    "0 or 1",
    "1 asks the gateway's API for its version too, at most every five minutes, without a client id.",
    build_choice_parser("0", "1"),
)
PROCESSES: Setting[tuple[str, ...]] = add_setting(
    "PROCESSES",
    (),
    "name=supervisor:id",
    "Processes that must run on this machine, by comma: gateway=systemd:ibgateway.service, "
    "bot=launchd:com.example.bot, trader=pidfile:/run/trader.pid, tws=command:java.",
    parse_processes,
    source=True,
)
UPS = add_setting(
    "UPS",
    "",
    "ups@host:port",
    "The UPS as NUT's upsd names it (ups@localhost); `pmset` reads macOS's own power supply.",
    parse_ups,
    source=True,
)
FLEX_TOKEN = add_setting(
    "FLEX_TOKEN",
    "",
    "token",
    "Token of IBKR's Flex Web Service, which gives fills and trade records.",
    parse_token,
    secret=True,
    source=True,
)
FLEX_QUERY = add_setting(
    "FLEX_QUERY", "", "number", "The id of the Flex query that is read with the token.", parse_digits
)
FLEX_URL = add_setting(
    "FLEX_URL",
    "https://ndcdyn.interactivebrokers.com/AccountManagement/FlexWebService",
    "URL",
    "Where the Flex Web Service is.",
    build_url_parser("https", "http"),
)
PORTAL_URL = add_setting(
    "PORTAL_URL",
    "",
    "URL",
    "The API of a Client Portal gateway that is logged in, such as https://localhost:5000/v1/api.",
    build_url_parser("https", "http"),
    source=True,
)
