"""A rule: a decorated generator, its declaration, and its results."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from operator import ge, gt, lt
from typing import Any, Final, Literal, TypeVar

from msgspec import Struct

from detector.domain.facts import FACT_NAMES, Facts
from detector.settings import Setting, Settings

Severity = Literal["warning", "critical"]
WARNING: Final[Severity] = "warning"
CRITICAL: Final[Severity] = "critical"
RANK: Mapping[str, int] = {WARNING: 1, CRITICAL: 2}


Kind = Literal["state", "occurrence"]
SECTION_CAUSE: Final = "source of "  # a cause: what a section carried is lost with it
STATE: Final[Kind] = "state"
OCCURRENCE: Final[Kind] = "occurrence"
T = TypeVar("T")


class Lasts(Struct, frozen=True):
    """How long a condition must last: seconds (a number or a setting), firing observations, or both.

    With `either` one of both is enough. `at` limits it to the time at which the condition has that severity.
    """

    seconds: Setting[float] | float | None = None
    observations: int | None = None
    at: Severity | None = None
    either: bool = False


lasts = Lasts  # a declaration reads as a sentence: escalates=lasts(observations=2)
NOW = Lasts(observations=1)
NEVER: Final = None


class Limit(Struct, frozen=True):
    """A limit and when it is broken: a count `reaches` it, an age `exceeds` it, a rest `falls_below` it."""

    setting: Setting[Any]
    broken: Literal["reached", "exceeded", "not reached"]


def reaches(setting: Setting[Any]) -> Limit:
    """Declare a limit that is broken at the limit and above."""
    return Limit(setting, "reached")


def exceeds(setting: Setting[Any]) -> Limit:
    """Declare a limit that is broken above the limit only."""
    return Limit(setting, "exceeded")


def falls_below(setting: Setting[Any]) -> Limit:
    """Declare a limit that is broken below the limit only."""
    return Limit(setting, "not reached")


_BREAKS: Mapping[str, Callable[[float, float], bool]] = {"reached": ge, "exceeded": gt, "not reached": lt}


class Limits:
    """The limits of one rule in force: values by setting, compared as they were declared."""

    __slots__ = ("_broken", "_settings")

    def __init__(self, declared: Collection[Limit | Setting[Any]], settings: Settings) -> None:
        self._broken = {limit.setting: limit.broken for limit in declared if isinstance(limit, Limit)}
        self._settings = settings

    def __getitem__(self, setting: Setting[T]) -> T:
        return self._settings[setting]

    def is_default(self, setting: Setting[Any]) -> bool:
        """Return whether nobody set it."""
        return self._settings.origins[setting.name] == "default"

    def is_broken(self, setting: Setting[Any], value: float) -> bool:
        """Return whether the value breaks the limit, ≥, > or < as the rule declared it."""
        return _BREAKS[self._broken[setting]](value, self._settings[setting])


class Hours(Struct, frozen=True):
    """When a rule applies: `applies` answers True, False (off hours) or None (not known)."""

    name: str
    applies: Callable[[Facts], bool | None]


ALWAYS = Hours("always", lambda facts: True)
RTH = Hours("regular session", lambda facts: facts.market.is_open)
PAST_GRACE = Hours("regular session, past the open grace", lambda facts: facts.market.past_grace)
_BEFORE_OPEN_SEC = 3600


def _is_outside_maintenance(facts: Facts) -> bool | None:
    if facts.is_restarting:
        return False
    if facts.has_long_session:
        # It meets the resets in its session: with positions open the rule itself waits, without it is quiet.
        return None if facts.quiet is None else not facts.quiet or facts.exposure != 0
    opens_in = facts.market.opens_in
    if facts.market.is_open or (opens_in is not None and opens_in <= _BEFORE_OPEN_SEC):
        return True
    return None if facts.quiet is None else not facts.quiet


OUTSIDE_MAINTENANCE = Hours("outside IBKR's quiet windows", _is_outside_maintenance)
OUTSIDE_RESTART = Hours("outside the gateway's planned restart", lambda facts: not facts.is_restarting)


class _Declared(Struct, frozen=True):
    """Marks a field of a finding that follows the rule's declaration."""


AS_DECLARED: Final = _Declared()


class Finding(Struct, frozen=True):
    """One thing that is wrong; the engine signs it with the rule's name, link and signature.

    `summary` is one sentence with the number and its limit. `observed` broke `limit`. `at` is when an
    occurrence last happened. `facts` narrows the declared facts to those that show this finding, `source`
    names its source. `proven_sec` is how long it has held already by the data itself; `confirmed`: the data's
    own age proves it. `cause` is an entry of the table of causes. `ongoing`: an occurrence that stays listed
    until it is over; `over`: one that its counterpart ended: it leaves the list, and is reported as missed
    where it was not delivered. `again`: an occurrence that is
    news although it goes on. `deferred`: it is listed, and due to nobody yet. `note` is what the data says of
    it, for a rule that is `given` it: no rule reads another's summary. The other fields replace the
    declaration's values where they are given.
    """

    severity: Severity
    summary: str
    subject: str | None = None
    observed: float | str | None = None
    limit: Setting[Any] | None = None
    at: datetime | None = None
    facts: tuple[str, ...] | None = None
    source: str | None = None
    proven_sec: float | None = None
    confirmed: bool = False
    cause: str | None = None
    ongoing: bool = False
    over: bool = False
    again: bool = False
    deferred: bool = False
    note: str = ""
    kind: Kind | None = None
    money: bool | None = None
    escalates: Lasts | _Declared | None = AS_DECLARED
    critical_after: Lasts | _Declared | None = AS_DECLARED
    listed_after: Lasts | _Declared | None = AS_DECLARED


class Undecided(Struct, frozen=True):
    """The facts were seen, yet they do not decide about `subjects` (None: about no subject of this rule)."""

    why: str
    subjects: Collection[str | None] | None = None


class Healthy(Struct, frozen=True):
    """The subjects that a rule with `explicit_good` saw to be good; all others stay undecided."""

    covers: Callable[[str | None], bool]


RuleResults = Iterator[Finding | Undecided | Healthy]
Check = Callable[..., RuleResults]


class Declaration(Struct, frozen=True):
    """How a rule is evaluated, as data.

    `sees`: facts that must all be seen. `any_of`: facts of which one is enough. `severity_inputs`: facts that
    only change the severity. `explicit_good`: only subjects that the rule yields as Healthy are good.
    `monitor`: the rule reports that something was not seen; `of_section`: about a section, which retires
    where the section is neither given nor configured for two runs. `reads_back`: seconds of log lines that it
    needs.
    `signal`: the golden signal that it evaluates.
    """

    kind: Kind
    severity: str
    sees: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    severity_inputs: tuple[str, ...] = ()
    during: Hours = ALWAYS
    limits: tuple[Limit | Setting[Any], ...] = ()
    given: tuple[str, ...] = ()
    escalates: Lasts | None = NEVER
    critical_after: Lasts | None = NEVER
    listed_after: Lasts | None = NEVER
    lookback: Setting[float] | None = None
    reads_back: Setting[float] | float = 0
    confirm: bool = False
    money: bool = False
    monitor: bool = False
    of_section: bool = False
    explicit_good: bool = False
    signal: str | None = None


class Rule(Struct, frozen=True, eq=False):
    """A rule as the catalog knows it: named after its file. A profile's own names its `runbook` itself."""

    name: str
    declaration: Declaration
    check: Check
    doc: str
    index: int = 0
    runbook: str | None = None


def rule(kind: Kind, severity: str, **declared: Any) -> Callable[[Check], Check]:
    """Decorate a generator `check(facts, limits[, given])` with its declaration.

    Raises ValueError at import where it names a fact that does not exist.
    """
    options: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in declared.items()
    }
    declaration = Declaration(kind, severity, **options)
    unknown = {*declaration.sees, *declaration.any_of, *declaration.severity_inputs} - FACT_NAMES
    if unknown:
        names = ", ".join(sorted(unknown))
        raise ValueError(f"unknown facts: {names} (detector/domain/facts.py declares the known ones)")

    def apply(check: Check) -> Check:
        check.declaration = declaration  # type: ignore[attr-defined]  # a function's own
        return check

    return apply
