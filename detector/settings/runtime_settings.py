"""The watched runtime: the seven limits of the founding runbook, its names, and its sources."""

from __future__ import annotations

from detector.settings.setting import (
    Setting,
    add_count,
    add_names,
    add_seconds,
    add_setting,
    add_switch,
    add_text,
    add_token,
    add_url,
    build_choice_parser,
    build_int_parser,
    parse_address,
    parse_aws_account,
    parse_aws_name,
    parse_digits,
    parse_name,
    parse_port,
    parse_processes,
    parse_restarts,
    parse_sections,
    parse_timeout,
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
RUNTIME = add_text(
    "RUNTIME", "name", "Name of the watched runtime, in signatures.", parse_name, default="aegis-pt-core"
)
PROFILE = add_text(
    "PROFILE", "name or path", "Where each fact is found in the payloads.", parse_name, default="aegis"
)
ECS_SERVICE = add_text(
    "ECS_SERVICE",
    "name",
    "The ECS service that runs the runtime.",
    lambda text: parse_name(parse_aws_name(text)),
    default="aegis-pt-core",
)
EXPECTED_TASKS = add_count("EXPECTED_TASKS", 1, "Tasks that should run: one primary.", minimum=0)
TRADER_CONTAINER = add_text(
    "TRADER_CONTAINER",
    "name",
    "The container that makes a task a runtime task.",
    parse_name,
    default="lt-ibkr-trader",
)
GATEWAY_CONTAINER = add_text(
    "GATEWAY_CONTAINER", "name", "The container of the IBKR gateway.", parse_name, default="ibkr-gateway"
)
STANDBY_PATTERN = add_text(
    "STANDBY_PATTERN",
    "glob",
    "Standby containers that must stay exited.",
    parse_name,
    default="aegis-lt-ibkr-*",
)
REQUIRED = add_names(
    "REQUIRED", "facts", "Facts that a collected status must carry, by comma.", default=("heartbeat_at",)
)
IBKR_REGION = add_text(
    "IBKR_REGION",
    "region",
    "Home region of the account: america, europe or asia.",
    build_choice_parser("america", "europe", "asia"),
    default="america",
)
RESTART_AT = add_names(
    "RESTART_AT",
    "times",
    "When the gateway restarts by plan, by comma, at most four: 23:45 America/New_York. It is quiet for"
    " 5 min then.",
    parse_restarts,
)
GATEWAY_ZONE = add_text(
    "GATEWAY_ZONE",
    "zone",
    "The gateway's zone, in which its launcher logs when it restarts by plan, and of TWS's times that name"
    " none; empty: the profile's zone.",
    parse_zone,
)
MARKET_CLOSURES = add_text(
    "MARKET_CLOSURES", "path", "TOML file of market closures announced at short notice."
)


# Sources: each is off until its own setting is set; removing a setting retires nothing.
STATUS_URL = add_url("STATUS_URL", "The dashboard's status payload.", schemes=("http", "https"), source=True)
STATUS_TOKEN = add_token("STATUS_TOKEN", "Bearer token for the dashboard.")
STATUS_USER = add_text("STATUS_USER", "name", "User for the dashboard's basic auth.")
STATUS_PASSWORD = add_text(
    "STATUS_PASSWORD", "password", "Password for the dashboard's basic auth.", secret=True
)
BOT_STATUS_URL = add_url(
    "BOT_STATUS_URL", "The bot's own status payload.", schemes=("http", "https"), source=True
)
BOT_STATUS_TOKEN = add_token(
    "BOT_STATUS_TOKEN", "Bearer token for the bot's status, where its host is not the dashboard's."
)
ACCOUNT = add_text(
    "ACCOUNT",
    "account id",
    "The runtime's account at the broker; what is read of another one is not about this runtime.",
)
SIGNALS_OFF = add_names(
    "SIGNALS_OFF",
    "golden signals",
    "Golden signals that this runtime does not have, by comma: they leave the count of the coverage.",
)
STATUS_AS_OF = add_names(
    "STATUS_AS_OF",
    "keys",
    "Keys at the top of a status payload that say when it was made, by comma; "
    "the first that is there counts. A profile's [time] adds its own.",
    default=("as_of", "generated_at"),
)
ECS_CLUSTER = add_text("ECS_CLUSTER", "name", "The ECS cluster of the runtime.", parse_aws_name, source=True)
LOG_GROUP = add_text("LOG_GROUP", "name", "The CloudWatch log group of the runtime.", source=True)
AWS_REGION = add_text("AWS_REGION", "name", "Region of the cluster and the log group.")
AWS_PROFILE = add_text("AWS_PROFILE", "name", "Profile of the AWS configuration that is read with.")
AWS_AMBIENT = add_switch(
    "AWS_AMBIENT", "1 takes the credentials of the environment, such as those of a workflow's OIDC."
)
AWS_ACCOUNT = add_text(
    "AWS_ACCOUNT",
    "12 digits",
    "The AWS account; with the credentials of another one nothing is read.",
    parse_aws_account,
    secret=True,
)
STANDBY_DOCKER_URL = add_url(
    "STANDBY_DOCKER_URL",
    "The standby host's Docker Engine API: tcp://, http://, https:// or unix:///path.",
    schemes=("tcp", "http", "https", "unix"),
    source=True,
)
SECTIONS_FROM = add_names(
    "SECTIONS",
    "section=place",
    "Sections that are read from a file or a URL, by comma.",
    parse_sections,
    source=True,
)
SOURCES_OFF = add_names(
    "SOURCES_OFF",
    "sections",
    "Sections that are switched off for good, by comma: what was raised from them alone is retired.",
    source=True,
)
SOURCE_TIMEOUT_SEC: Setting[float] = add_setting(
    "SOURCE_TIMEOUT_SEC", 10, "seconds", "A source must have answered in whole by then.", parse_timeout
)
COLLECT_TIMEOUT_SEC: Setting[float] = add_setting(
    "COLLECT_TIMEOUT_SEC", 60, "seconds", "All sources together must have answered by then.", parse_timeout
)
CA_FILE = add_text("CA_FILE", "path", "PEM file of further authorities that certificates may come from.")
STORES_DB = add_text(
    "STORES_DB",
    "path",
    "The runtime's own SQLite file; it is read and never written, not even locked where it has a log.",
    source=True,
)
TWS_ADDRESS = add_text(
    "TWS_ADDRESS",
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
GATEWAY_PORT = add_text(
    "GATEWAY_PORT",
    "port",
    "The gateway's API port on this machine; the kernel's tables are read, and no socket is opened.",
    parse_port,
    source=True,
)
GATEWAY_HANDSHAKE = add_switch(
    "GATEWAY_HANDSHAKE",
    "1 asks the gateway's API for its version too, at most every five minutes, without a client id.",
)
PROCESSES = add_names(
    "PROCESSES",
    "name=supervisor:id",
    "Processes that must run on this machine, by comma: gateway=systemd:ibgateway.service, "
    "bot=launchd:com.example.bot, trader=pidfile:/run/trader.pid, tws=command:java.",
    parse_processes,
    source=True,
)
UPS = add_text(
    "UPS",
    "ups@host:port",
    "The UPS as NUT's upsd names it (ups@localhost); `pmset` reads macOS's own power supply.",
    parse_ups,
    source=True,
)
FLEX_TOKEN = add_token(
    "FLEX_TOKEN", "Token of IBKR's Flex Web Service, which gives fills and trade records.", source=True
)
FLEX_QUERY = add_text(
    "FLEX_QUERY", "number", "The id of the Flex query that is read with the token.", parse_digits
)
FLEX_URL = add_url(
    "FLEX_URL",
    "Where the Flex Web Service is.",
    "https://ndcdyn.interactivebrokers.com/AccountManagement/FlexWebService",
)
PORTAL_URL = add_url(
    "PORTAL_URL",
    "The API of a Client Portal gateway that is logged in, such as https://localhost:5000/v1/api.",
    source=True,
)
