"""Every setting of the detector, once: name, default, unit, help; and how they are read and refused.

One block a module, in the order in which people read the tables; whoever needs a setting imports it from here.
"""

# ruff: noqa: F403, I001 - a list of the names by hand would be a second declaration; the order is that of the tables
from detector.settings.runbook_limits import *
from detector.settings.runtime_settings import *
from detector.settings.source_settings import *
from detector.settings.rule_limits import *
from detector.settings.reconciliation_limits import *
from detector.settings.memory_settings import *
from detector.settings.channel_settings import *
from detector.settings.job_settings import *
from detector.settings.presentation import *
from detector.settings.resolved import (
    Settings as Settings,
    has_any_source as has_any_source,
    encode_basic_auth as encode_basic_auth,
    measure_edit_distance as measure_edit_distance,
    parse_env_file as parse_env_file,
    resolve_settings as resolve_settings,
    list_secrets as list_secrets,
)
from detector.settings.setting import (
    DECLARED as DECLARED,
    PREFIX as PREFIX,
    Setting as Setting,
    SettingsError as SettingsError,
)
