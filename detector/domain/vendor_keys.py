"""Known keys that are not read: of vendors' own answers, and of other people's payloads.

The names that other bots give to our facts are read by their profile alone, and hint at what it lacks.

Amazon's are the members of its service models (`botocore`, checked by a test); Docker's and Podman's those of
their API references; Interactive Brokers' those of TWS API, ib_async, the Client Portal and Flex.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

from detector.formats.patterns import build_pattern
from detector.formats.similar_names import split_parts


def _split_names(names: str) -> frozenset[str]:
    return frozenset(names.split())


DESCRIBE_ANSWER = _split_names(
    "ResponseMetadata nextToken NextToken taskArns serviceArns clusterArns cluster region account"
)
ECS_SERVICE_KEYS = _split_names(
    """
    serviceArn serviceName clusterArn loadBalancers serviceRegistries status desiredCount runningCount
    pendingCount launchType capacityProviderStrategy platformVersion platformFamily taskDefinition
    deploymentConfiguration taskSets deployments roleArn events createdAt currentServiceDeployment
    currentServiceRevisions placementConstraints placementStrategy networkConfiguration
    healthCheckGracePeriodSeconds schedulingStrategy deploymentController tags createdBy
    enableECSManagedTags propagateTags enableExecuteCommand availabilityZoneRebalancing
    resourceManagementType
    """
)
ECS_DEPLOYMENT_KEYS = _split_names(
    """
    id status taskDefinition desiredCount pendingCount runningCount failedTasks createdAt updatedAt
    capacityProviderStrategy launchType platformVersion platformFamily networkConfiguration rolloutState
    rolloutStateReason serviceConnectConfiguration serviceConnectResources volumeConfigurations
    fargateEphemeralStorage vpcLatticeConfigurations
    """
)
ECS_EVENT_KEYS = _split_names("id createdAt message")
ECS_TASK_KEYS = _split_names(
    """
    attachments attributes availabilityZone capacityProviderName clusterArn connectivity connectivityAt
    containerInstanceArn containers cpu createdAt desiredStatus enableExecuteCommand executionStoppedAt
    group healthStatus inferenceAccelerators lastStatus launchType memory overrides platformVersion
    platformFamily pullStartedAt pullStoppedAt startedAt startedBy stopCode stoppedAt stoppedReason
    stoppingAt tags taskArn taskDefinitionArn version ephemeralStorage fargateEphemeralStorage
    trustedExecutionSummary
    """
)
ECS_CONTAINER_KEYS = _split_names(
    """
    containerArn taskArn name image imageDigest runtimeId lastStatus exitCode reason networkBindings
    networkInterfaces healthStatus managedAgents cpu memory memoryReservation gpuIds neuronDeviceIds
    gpuSharingStrategy
    """
)
ECS_FAILURE_KEYS = _split_names("arn reason detail")
# The envelope of an EventBridge event and what its `detail` has beyond a task.
EVENTBRIDGE_KEYS = _split_names(
    "version id detail-type source account time region resources detail updatedAt"
)
FILTER_LOG_EVENTS_ANSWER = _split_names(
    "events searchedLogStreams nextToken ResponseMetadata logGroupName logGroup logStreamName region"
)
LOG_EVENT_KEYS = _split_names("logStreamName timestamp message ingestionTime eventId")
# GET /containers/json of Docker and Podman, `docker ps` and `docker compose ps` as JSON, `docker inspect`.
CONTAINER_KEYS = _split_names(
    """
    Id ID Names Name Image ImageID ImageManifestDescriptor Command Created CreatedAt Ports SizeRw
    SizeRootFs Labels State Status Health HostConfig NetworkSettings Mounts AutoRemove CIDFile Exited
    ExitedAt ExitCode Pid IsInfra Namespaces Networks Pod PodName Restarts RestartCount Size StartedAt
    RunningFor LocalVolumes Platform Project Service Publishers Config Path Args ResolvConfPath
    HostnamePath HostsPath LogPath Driver MountLabel ProcessLabel AppArmorProfile ExecIDs GraphDriver
    Storage
    """
)
CONTAINER_STATE_KEYS = _split_names(
    """
    Status Running Paused Restarting OOMKilled Dead Pid ExitCode Error StartedAt FinishedAt Health
    Healthcheck OciVersion ConmonPid CgroupPath StoppedByUser CheckpointedAt RestoredAt
    """
)
CONTAINER_CONFIG_KEYS = _split_names(
    """
    Hostname Domainname User AttachStdin AttachStdout AttachStderr ExposedPorts Tty OpenStdin StdinOnce
    Env Cmd Healthcheck ArgsEscaped Image Volumes WorkingDir Entrypoint NetworkDisabled MacAddress OnBuild
    Labels StopSignal StopTimeout Shell
    """
)
# Interactive Brokers: names in lower case without punctuation, as the broker's rows are compared.
IB_KEYS = _split_names(
    """
    account accountid acctid acct acctcode acctnumber accountname accountalias clientaccountid model
    modelcode contract order orderstatus orderstate execution commissionreport log advancederror time
    contractdesc conid symbol sectype lasttradedateorcontractmonth lasttradedate strike right multiplier
    exchange primaryexchange currency localsymbol tradingclass includeexpired secidtype secid description
    issuerid combolegsdescrip combolegs deltaneutralcontract orderid clientid permid action totalquantity
    ordertype lmtprice auxprice tif activestarttime activestoptime ocagroup ocatype orderref transmit
    parentid parentpermid blockorder sweeptofill displaysize triggermethod outsiderth hidden goodaftertime
    goodtilldate rule80a allornone minqty percentoffset overridepercentageconstraints trailstopprice
    trailingpercent fagroup faprofile famethod fapercentage designatedlocation openclose origin
    shortsaleslot exemptcode discretionaryamt etradeonly firmquoteonly nbbopricecap optoutsmartrouting
    auctionstrategy startingprice stockrefprice delta stockrangelower stockrangeupper randomizeprice
    randomizesize volatility volatilitytype deltaneutralordertype deltaneutralauxprice deltaneutralconid
    deltaneutralsettlingfirm deltaneutralclearingaccount deltaneutralclearingintent deltaneutralopenclose
    deltaneutralshortsale deltaneutralshortsaleslot deltaneutraldesignatedlocation continuousupdate
    referencepricetype basispoints basispointstype scaleinitlevelsize scalesubslevelsize
    scalepriceincrement scalepriceadjustvalue scalepriceadjustinterval scaleprofitoffset scaleautoreset
    scaleinitposition scaleinitfillqty scalerandompercent scaletable hedgetype hedgeparam settlingfirm
    clearingaccount clearingintent algostrategy algoparams smartcomboroutingparams algoid whatif nothold
    solicited ordercombolegs ordermiscoptions referencecontractid peggedchangeamount
    ispeggedchangeamountdecrease referencechangeamount referenceexchangeid adjustedordertype triggerprice
    adjustedstopprice adjustedstoplimitprice adjustedtrailingamount adjustabletrailingunit lmtpriceoffset
    conditions conditionscancelorder conditionsignorerth extoperator softdollartier cashqty
    mifid2decisionmaker mifid2decisionalgo mifid2executiontrader mifid2executionalgo
    dontuseautopriceforhedge isomscontainer discretionaryuptolimitprice autocanceldate filledquantity
    reffuturesconid autocancelparent shareholder imbalanceonly routemarketabletobbo usepricemgmtalgo
    duration posttoats advancederroroverride manualordertime mintradeqty mincompetesize
    competeagainstbestoffset midoffsetatwhole midoffsetathalf customeraccount professionalcustomer
    bondaccruedinterest includeovernight manualorderindicator submitter deactivate postonly allowpreopen
    ignoreopenauction sllimitprice slordertype slorderid ptorderid ptorderlimitprice ptordertype
    whatiftype status filled remaining avgfillprice lastfillprice whyheld mktcapprice warningtext
    completedtime completedstatus rejectreason initmarginbefore maintmarginbefore equitywithloanbefore
    initmarginchange maintmarginchange equitywithloanchange initmarginafter maintmarginafter
    equitywithloanafter commission mincommission maxcommission commissioncurrency commissionandfees
    mincommissionandfees maxcommissionandfees commissionandfeescurrency marginscurrency execid shares
    price side cumqty avgprice evrule evmultiplier liquidation lastliquidity pendingpricerevision
    realizedpnl yield yieldredemptiondate executionid tradeid marketprice marketvalue averagecost
    unrealizedpnl position avgcost mktprice mktvalue exchs expiry putorcall putcall exercisestyle
    conexchmap assetclass undconid undsym undcomp chinesename allexchanges listingexchange countrycode
    name lasttradingday group sector sectorgroup ticker type haslotoptions fullname isus islastclose
    incrementrules displayrule crosscurrency baseavgcost baseavgprice baserealizedpnl baseunrealizedpnl
    basemktvalue basemktprice pagesize isevencontract ueid conidex orderdesc description1 description2
    sizeandfills sizefilled remainingquantity orderccpstatus origordertype supportstaxopt
    lastexecutiontime lastexecutiontimer bgcolor fgcolor timeinforce iseventtrading stopprice limitprice
    cashccy ordercancellationbyunderlier taxoptimizerid companyname clearingid clearingname
    accountallocationname liquidationtrade submittedby netamount orderdescription tradetime tradetimer
    sizeandprice currencyprimary fxratetobase assetcategory securityid securityidtype cusip isin figi
    underlyingconid underlyingsymbol underlyingsecurityid underlyinglistingexchange subcategory reportdate
    quantity markprice positionvalue positionvalueinbase openprice costbasisprice costbasismoney
    percentofnav fifopnlunrealized unrealizedcapitalgainspnl unrealizedfxpnl levelofdetail
    holdingperioddatetime opendatetime code originatingorderid originatingtransactionid accruedint
    vestingdate tradedate datetime settledatetarget transactiontype tradeprice trademoney proceeds taxes
    ibcommission ibcommissioncurrency netcash closeprice openclosesindicator openCloseindicator notes cost
    fifopnlrealized fxpnl mtmpnl origtradeprice origtradedate origtradeid origorderid clearingfirmid
    transactionid iborderid ibexecid brokerageorderid orderreference volatilityorderlink exchorderid
    extexecid ordertime holdingperiod whenrealized whenreopened changeinprice changeinquantity traderid
    isapiorder initialinvestment relatedtradeid origtransactionid relatedtransactionid rtn serialnumber
    statusevent modifyevent fillevent commissionreportevent filledevent cancelevent cancelledevent index
    fills donestates activestates waitingstates workingstates total errorcode message reqid
    deliverytype commoditytype fineness weight positionactioncode actiondescription principaladjustfactor
    """.lower()
)
BROKER_ENVELOPE_KEYS = _split_names(
    """
    ResponseMetadata host client_id clientId server_version serverVersion source version node model
    runtime exported_at elapsed_ms accounts managed_accounts managedAccounts currency timezone
    """
)
# Keys of other people's payloads that stand near ours and mean something else.
FOREIGN = _split_names(
    """
    model node code ticker tickers tick_at tick_count tick_size order_count orders_total order_ref
    order_refs order_tag order_seq position_id position_ids position position_ts unrealized_pnl
    unrealised_pnl unrealizedPnl realized_pct realized_r trader_id trader trade_idx trade_type trade_day
    tradeable size sizes side_id startedBy startedby created_at updated_at modified_at polled_at
    checked_at signal_ts signal_tag signals ask_price bid_price max_price min_price mid_price last_price
    quality quantile quantiles quantum entity entry exit exits exit_rule exit_type exit_size edit_reason
    permission permissions parent_id parked_at filled_at filler fill_id fills fill_qty
    heartbeats heartbeat_seq heartbeat_count heartbeat_interval_sec heartbeat_ok
    broker_connection broker_connect connection_type open_positions_total engine_status
    engine_started engine_start_count last_reconcile_id market_data_type
    market_data_states trading_date trading_days trading_hours trading_halt_count known_fills
    unknown_fill_ids pending_order_ids pending_exit_ids pending_entries stuck_exit_ids stuck_entries
    recent_trade_ids currency expiries expiry_days symbol_id kind_id
    status_code status_id statuses status_at filled_pct quantity_pct remaining_qty avg_volume avg_size
    opened_by closed_by opened_on closed_on entry_type entry_size fee_rate fee_ccy mode_id host_id
    timestamp ts time now date uptime uptime_sec version build name id uuid runtime hostname host pid env
    """
)

# Names that other bots give to a column and to a fact, without case and separators, singular or plural;
# `timestamp` and `updated_at` often mean another time. Of two facts the first that can hold the value counts.
ALSO_COLUMNS = {
    "qty": "quantity",
    "shares": "quantity",
    "size": "quantity",
    "position": "quantity",
    "amount": "quantity",
    "ticker": "symbol",
    "asset": "symbol",
    "instrument": "symbol",
    "conid": "con_id",
    "avgcost": "avg_price",
    "entryprice": "avg_price",
}
ALSO_NAMED = {
    "heartbeat": ("heartbeat_at", "heartbeat_age_sec"),
    "lastheartbeat": ("heartbeat_at",),
    "lastbeat": ("heartbeat_at",),
    "lastseen": ("heartbeat_at",),
    "lastupdatesecondsago": ("heartbeat_age_sec",),
    "connected": ("broker_connected",),
    **dict.fromkeys(
        ["apiconnected", "ibconnected", "ibkrconnected", "twsconnected", "gatewayconnected", "isconnected"],
        ("broker_connected",),
    ),
    "positions": ("open_positions", "open_position_count"),
    "holdings": ("open_positions",),
    "portfolio": ("open_positions",),
    "opentrades": ("open_positions",),
    "positionscount": ("open_position_count",),
    "openorders": ("orders", "pending_orders"),
    "workingorders": ("orders", "pending_orders"),
    "trades": ("recent_trades",),
    "startedat": ("engine_started_at",),
    "halted": ("trading_halted",),
}
# A key that holds all of these is about that fact, in whatever order and with whatever beside them.
FACT_WORDS = {
    "heartbeat_at": ("heartbeat",),
    "pending_orders": ("pending", "order"),
    "pending_exits": ("pending", "exit"),
    "stuck_exits": ("stuck",),
    "broker_reconcile_pending": ("reconcil", "pending"),
    "broker_confirmation_required": ("confirm", "required"),
    "send_outcome_unknown": ("outcome", "unknown"),
    "unknown_fills": ("unknown", "fill"),
    "market_data_10197_recent": ("10197",),
    "max_exit_attempt_count": ("exit", "attempt"),
    "last_reconcile_at": ("reconcil",),
    "trading_halted": ("halted",),
}

# Of an object's name: what it holds are limits, or is of another time.
NO_FACTS = frozenset(
    ["limit", "limits", "threshold", "thresholds", "config", "settings", "params", "expected", "target",
     "targets", "allowed", "prev", "previous", "history", "yesterday", "lifetime", "cumulative", "backtest"]
)  # fmt: skip
SESSION = "session"  # what another one competes with: no fact of a payload
_DEEPEST, _MOST_LEAVES, _LONGEST_WORDS = 3, 300, 40
_SMALL = (
    r"(?:(?:is|has|have|are|any|now|current|currently|num|n|count|status|state|flags?|open|data|result"
    r"|runtime|bot|trader|trading|engine|health|summary|metrics|counts?|risk) )*"
)
_LINK = r"(?:api|ib|ibkr|tws|gateway|gw|broker|brokerage|connection|conn|link)"
# What a payload says of a fact, key and text together: that all is not well where it is true, or a count.
_TROUBLE = {
    "heartbeat_at": rf"{_SMALL}heartbeat {_SMALL}"
    r"(?:stale|lost|dead|overdue|late|missing|failed|expired|frozen)",
    "stuck_exits": rf"{_SMALL}(?:(?:exits?|exit orders?|orders?|positions?) )?{_SMALL}stuck"
    r"(?: (?:exits?|orders?|positions?|count|ids?|symbols?|list|now))*",
    "broker_connected": rf"{_SMALL}(?:{_LINK} {_SMALL})+"
    r"(?:disconnected|down|lost|offline|dead|unreachable|broken|not connected)"
    rf"|{_SMALL}disconnected",
    "send_outcome_unknown": rf"{_SMALL}(?:orders? )?(?:send|sending|submit|submission|placement) "
    rf"(?:(?:outcomes?|results?) )?{_SMALL}unknown(?: (?:count|ids?|orders?))*"
    rf"|{_SMALL}unknown send outcomes?",
    "unknown_fills": rf"{_SMALL}(?:fills? {_SMALL}unknown|unknown fills?)(?: (?:count|ids?|list))*",
    "broker_confirmation_required": rf"{_SMALL}broker confirmation {_SMALL}"
    rf"(?:required|needed|pending|awaited)|{_SMALL}order confirmation {_SMALL}(?:required|needed)",
    "broker_reconcile_pending": rf"(?:{_SMALL}(?:broker|positions?|entry blocking|needs) )*{_SMALL}"
    rf"reconcil\w* (?:(?:broker|positions?) )?{_SMALL}"
    r"(?:pending|required|needed|due|failed|mismatch(?:ed)?)",
    "trading_halted": rf"{_SMALL}kill ?switch {_SMALL}(?:active|on|engaged|triggered|tripped|activated)"
    rf"|(?=.*\b(?:trading|engine|bot)\b){_SMALL}(?:halted|suspended|killed)",
    SESSION: rf"{_SMALL}(?:(?:auth|session|iserver|sso) {_SMALL})*competing(?: session)?",
}  # fmt: skip
# The same where it is false.
_WELL = {
    "heartbeat_at": rf"{_SMALL}heartbeat {_SMALL}(?:ok|alive|healthy|fresh)",
    SESSION: rf"{_SMALL}(?:(?:auth|session|iserver|sso) {_SMALL})+authenticated",
}
_STEMS = build_pattern(
    r"heartbeat|stuck|connect|link|gateway|broker|unknown|reconcil|switch|halted|suspended|killed|compet"
    r"|authent|\b(?:ib|ibkr|tws|api)(?:\b|_)"
)
_COUNTS = frozenset(["stuck_exits", "send_outcome_unknown", "unknown_fills"])
_LISTS = frozenset([*_COUNTS, "broker_reconcile_pending"])
_PATTERNS = {
    truth: {meant: build_pattern(text) for meant, text in texts.items()}
    for truth, texts in ((True, _TROUBLE), (False, _WELL))
}


def list_troubles(key: str, value: Any) -> tuple[str, ...]:
    """Return the facts of which a payload's key says that all is not well, alone or by what it holds."""
    leaves = islice(_iter_leaves(key, value, 0), _MOST_LEAVES)
    return tuple(dict.fromkeys(fact for name, leaf in leaves for fact in _find_stated(name, leaf)))


def _iter_leaves(name: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield what an object holds under its whole name; texts of a list are leaves like the list."""
    if not isinstance(value, dict):
        yield name, value
        if isinstance(value, list):
            yield from ((name, part) for part in value if isinstance(part, str))
    elif depth < _DEEPEST and NO_FACTS.isdisjoint(split_parts(name)):
        is_session = "competing" in value  # of anybody else's session `authenticated` says nothing
        for key, part in value.items():
            if is_session or key != "authenticated":
                yield from _iter_leaves(f"{name} {key}", part, depth + 1)


def _find_stated(name: str, value: Any) -> Iterable[str]:
    """Return what a flag, a text, a list or a count states under that name."""
    if isinstance(value, bool):
        return _find_trouble(name, truth=value)
    if isinstance(value, str):
        return _find_trouble(f"{name} {value}") if len(value) <= _LONGEST_WORDS else ()
    if isinstance(value, list):
        return _LISTS.intersection(_find_trouble(name)) if value else ()
    is_count = isinstance(value, int | float) and value > 0 and not name.rstrip("s").endswith("id")
    return _COUNTS.intersection(_find_trouble(name)) if is_count else ()


@lru_cache(maxsize=8192)
def _find_trouble(words: str, *, truth: bool = True) -> tuple[str, ...]:
    if not _STEMS.search(words.lower()):
        return ()
    text = " ".join(split_parts(words))
    return tuple(meant for meant, pattern in _PATTERNS[truth].items() if pattern.fullmatch(text))
