"""Every setting of the detector, declared once: its name, default, unit and help.

The modules are imported in the order of the tables; every other room imports a setting from this package.
"""

# ruff: noqa: F403, I001 - a list of the names would be a second declaration; the order is that of the tables
from detector.settings.runtime_settings import *
from detector.settings.limit_settings import *
from detector.settings.delivery_settings import *
from detector.settings.resolved import (
    Settings as Settings,
    add_settings as add_settings,
    has_any_source as has_any_source,
    encode_basic_auth as encode_basic_auth,
    find_doubts as find_doubts,
    find_idle as find_idle,
    find_senseless as find_senseless,
    find_unknown as find_unknown,
    normalize_name as normalize_name,
    parse_env_file as parse_env_file,
    resolve_settings as resolve_settings,
    list_secrets as list_secrets,
)
from detector.settings.delivery_settings import Floor as Floor, Rung as Rung, parse_rung as parse_rung
from detector.settings.setting import DECLARED as DECLARED, PREFIX as PREFIX, Setting as Setting
