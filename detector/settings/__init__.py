"""Every setting of the detector, once: name, default, unit, help; and how they are read and refused.

One block a module, in the order in which people read the tables; whoever needs a setting imports it from here.
"""

# ruff: noqa: F403, I001 - a list of the names by hand would be a second declaration; the order is that of the tables
from detector.settings.runbook import *
from detector.settings.watched import *
from detector.settings.sources import *
from detector.settings.limits import *
from detector.settings.truth import *
from detector.settings.memory import *
from detector.settings.channels import *
from detector.settings.job import *
from detector.settings.presentation import *
from detector.settings.resolved import (
    Settings as Settings,
    any_source as any_source,
    basic_auth as basic_auth,
    edits as edits,
    parse_env_file as parse_env_file,
    resolve as resolve,
    secrets_of as secrets_of,
)
from detector.settings.setting import (
    DECLARED as DECLARED,
    PREFIX as PREFIX,
    Setting as Setting,
    SettingsError as SettingsError,
)
