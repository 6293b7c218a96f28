"""Where it looks: a source is off until its own setting is set; a setting that vanishes retires nothing."""

from __future__ import annotations

from detector.settings.kinds import aws_account, names, one_of, optional, sections, timeout, token, url
from detector.settings.setting import Setting, declare

STATUS_URL = declare(
    "STATUS_URL", "", "URL", "The dashboard's status payload.", url("http", "https"), source=True
)
STATUS_TOKEN = declare("STATUS_TOKEN", "", "token", "Bearer token for the dashboard.", token, secret=True)
STATUS_USER = declare("STATUS_USER", "", "name", "User for the dashboard's basic auth.", optional)
STATUS_PASSWORD = declare(
    "STATUS_PASSWORD", "", "password", "Password for the dashboard's basic auth.", optional, secret=True
)
BOT_STATUS_URL = declare(
    "BOT_STATUS_URL", "", "URL", "The bot's own status payload.", url("http", "https"), source=True
)
BOT_STATUS_TOKEN = declare(
    "BOT_STATUS_TOKEN",
    "",
    "token",
    "Bearer token for the bot's status, where its host is not the dashboard's.",
    token,
    secret=True,
)
STATUS_AS_OF: Setting[tuple[str, ...]] = declare(
    "STATUS_AS_OF",
    ("as_of", "generated_at", "ts", "timestamp"),
    "keys",
    "Keys at the top of a status payload that say when it was made, by comma; the first that is there counts.",
    names,
)
ECS_CLUSTER = declare("ECS_CLUSTER", "", "name", "The ECS cluster of the runtime.", optional, source=True)
LOG_GROUP = declare(
    "LOG_GROUP", "", "name", "The CloudWatch log group of the runtime.", optional, source=True
)
AWS_REGION = declare("AWS_REGION", "", "name", "Region of the cluster and the log group.", optional)
AWS_PROFILE = declare(
    "AWS_PROFILE", "", "name", "Profile of the AWS configuration that is read with.", optional
)
AWS_AMBIENT = declare(
    "AWS_AMBIENT",
    "0",
    "0 or 1",
    "1 takes the credentials of the environment, such as those of a workflow's OIDC.",
    one_of("0", "1"),
)
AWS_ACCOUNT = declare(
    "AWS_ACCOUNT",
    "",
    "12 digits",
    "The AWS account; with the credentials of another one nothing is read.",
    aws_account,
    secret=True,
)
STANDBY_DOCKER_URL = declare(
    "STANDBY_DOCKER_URL",
    "",
    "URL",
    "The standby host's Docker Engine API: tcp://, http://, https:// or unix:///path.",
    url("tcp", "http", "https", "unix"),
    source=True,
)
SECTIONS_FROM: Setting[tuple[str, ...]] = declare(
    "SECTIONS",
    (),
    "section=place",
    "Sections that are read from a file or a URL, by comma.",
    sections,
    source=True,
)
SOURCES_OFF: Setting[tuple[str, ...]] = declare(
    "SOURCES_OFF",
    (),
    "sections",
    "Sections that are switched off for good, by comma: what was raised from them alone is retired.",
    names,
    source=True,
)
SOURCE_TIMEOUT_SEC: Setting[float] = declare(
    "SOURCE_TIMEOUT_SEC", 10, "seconds", "A source must have answered in whole by then.", timeout
)
COLLECT_TIMEOUT_SEC: Setting[float] = declare(
    "COLLECT_TIMEOUT_SEC", 60, "seconds", "All sources together must have answered by then.", timeout
)
CA_FILE = declare(
    "CA_FILE", "", "path", "PEM file of further authorities that certificates may come from.", optional
)
STORES_DB = declare(
    "STORES_DB",
    "",
    "path",
    "The runtime's own SQLite file; it is read and never written, not even locked where it has a log.",
    optional,
    source=True,
)
