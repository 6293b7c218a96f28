"""Events in any program's words: each subject with each state, in both orders; denied, they are silent."""

from __future__ import annotations

import re
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.formats.patterns import has_any
from detector.logs import events
from detector.logs.parse import account_matchers, code_formats, order_matchers, prefixes
from detector.logs.parse.classify import can_match, classify_line
from detector.logs.parse.line import parse_line
from detector.logs.parse.line_times import LogLines
from tests.support.log_corpus import CORPUS, NAMES, QUIET, labelled
from tests.support.log_wrappers import LAYERS

ORDERS = [
    "order 4711",
    "the exit order",
    "order id=88",
    "placeOrder 5123",
    "bracket order O-7",
    "order for TSLA",
]
UNSURE = [
    "outcome unknown", "status is unclear", "state undetermined", "result uncertain", "fate unknown",
    "cannot tell whether it was accepted", "we do not know if it reached IB", "may or may not be live",
    "never acknowledged", "no reply from the gateway", "broker did not confirm", "unacknowledged after 20 s",
    "timed out waiting for an acknowledgement", "no confirmation before the disconnect",
    "it might have been transmitted", "unable to verify that it was placed", "lost track of it",
]  # fmt: skip
FILLS = [
    "fill",
    "execution 0001.1",
    "partial fill of 5 ES",
    "trade report",
    "execDetails 00025b46",
    "BOT 10 SPY fill",
]
STRANGE = [
    "matches no open order", "belongs to no order of ours", "cannot be attributed to any order",
    "for an order we never placed", "order not in our book", "no matching order found", "unknown to this bot",
    "not ours", "from an unknown order", "does not match any tracked order",
    "could not be mapped to a strategy",
    "nobody placed it", "order not found in the cache", "is unmatched", "orphaned, no known order",
]  # fmt: skip
FACTORS = ["second factor", "2FA", "IB Key push", "two-factor request", "the IBKR login"]
UNANSWERED = [
    "not confirmed", "unanswered", "was never approved", "nobody answered", "still pending",
    "not completed by the user", "was not acknowledged", "no response on the phone",
]  # fmt: skip
VERSIONS = [
    "gateway version 10.19",
    "TWS build 1030",
    "the application you run",
    "this version of IB Gateway",
]
ENDED = [
    "is no longer supported", "reaches end of support in 5 days", "must be upgraded",
    "will be desupported on 20261120",
    "is outdated", "will be retired soon", "has to be updated", "is unsupported",
]  # fmt: skip
POSITIONS = ["position in MSFT", "SPY position of 10", "holding KO"]
DIFFERENT = [
    "held internally, broker has none", "ledger says 150, not found at the broker",
    "at the broker, unknown internally",
    "internal and broker disagree", "differs between broker and ledger",
    "open in the engine, missing at the broker",
]  # fmt: skip
ACCOUNTS = ["account U***", "your account", "this account"]
RESTRICTED = [
    "cannot open new positions", "is restricted to closing orders", "has no trading permissions for options",
    "is not permitted to open positions", "was suspended from trading", "may not trade: pattern day trader",
    "lacks trading permission",
]  # fmt: skip
ORDERS_ABROAD = ["Auftrag 12", "l'ordre 12", "la orden 12", "l'ordine 12"]
UNSURE_ABROAD = [
    "gesendet, keine Antwort", "Status unbekannt", "unklar, ob angekommen", "envoyé sans réponse",
    "état inconnu", "on ne sait pas si c'est arrivé", "enviada sin respuesta", "estado desconocido",
    "no se sabe si llegó", "inviato senza conferma", "esito incerto", "non si sa se arrivato",
]  # fmt: skip
FILLS_ABROAD = ["Ausführung", "exécution de 5 ES", "ejecución 0001", "esecuzione"]
STRANGE_ABROAD = ["unbekannter Auftrag", "ordre inconnu", "orden desconocida", "ordine sconosciuto"]
FACTORS_ABROAD = ["Zwei-Faktor", "double authentification", "segundo factor", "secondo fattore"]
UNANSWERED_ABROAD = ["nicht bestätigt", "toujours pas validée", "no ha sido confirmado", "non confermato"]
CASES = [
    pytest.param(kind, subjects, states, id=f"{kind}, {subjects[0]}")
    for kind, subjects, states in (
        (events.OUTCOME_UNKNOWN, ORDERS, UNSURE),
        (events.UNKNOWN_FILL, FILLS, STRANGE),
        (events.OUTCOME_UNKNOWN, ORDERS_ABROAD, UNSURE_ABROAD),
        (events.UNKNOWN_FILL, FILLS_ABROAD, STRANGE_ABROAD),
        (events.LOGIN_DUE, FACTORS_ABROAD, UNANSWERED_ABROAD),
        (events.LOGIN_DUE, FACTORS, UNANSWERED),
        (events.UNSUPPORTED, VERSIONS, ENDED),
        (events.MISMATCH, POSITIONS, DIFFERENT),
        (events.TRADING_BLOCKED, ACCOUNTS, RESTRICTED),
    )
]
ASIDE = (
    "Tip: ",
    "Help: ",
    "Usage: ",
    "Example: ",
    "FAQ: ",
    "backtest: ",
    "dry run: ",
    "we page if the ",
    "docs: when the ",
)


def read_kinds(text):
    """Return the kinds of events that the reader hears in a line."""
    lines = LogLines()
    lines.add(text, 0)
    (text,) = lines.texts
    return {match.kind for match in classify_line(parse_line(text))} if can_match(text.lower()) else set()


@pytest.mark.parametrize(("kind", "subjects", "states"), CASES)
def test_a_subject_and_a_state_report_the_event_in_any_order_and_wrapper(kind, subjects, states):
    random = Random(20260602)
    missed = []
    for subject, state in product(subjects, states):
        for text in (
            f"{subject} {state}",
            f"{subject}: {state}",
            f"{subject} (TSLA) - {state}",
            f"{state}: {subject}",
        ):
            wrapped = random.choice(LAYERS)(text, random)
            missed += [line for line in (text, wrapped) if kind not in read_kinds(line)]
    assert missed == []


@pytest.mark.parametrize(("kind", "subjects", "states"), CASES)
def test_what_a_line_supposes_or_explains_is_silent(kind, subjects, states):
    told = [
        line
        for subject, state, aside in product(subjects, states, ASIDE)
        if kind in read_kinds(line := f"{aside}{subject} {state}")
    ]
    assert told == []


@pytest.mark.parametrize(
    "line",
    [
        "rule set loaded: send_outcome_unknown, unknown_fill, order_limbo",
        "enabled checks: unknown_fill, send_outcome_unknown",
        '{"message": "rules", "rules": ["unknown_fill", "send_outcome_unknown"]}',
        "unknown fill count is 0",
        "unknown fills: none",
        "unmatched fills = 0",
        "orders with unknown outcome: 0",
        "no order has an unknown outcome",
        "unknown_fill_policy=halt",
        "order status unknown? no",
        "order 88 outcome unknown -> Filled",
    ],
)
def test_names_counts_of_zero_and_what_is_settled_are_silent(line):
    assert read_kinds(line) == set()


ALARMS = {kind: name for kind, name in NAMES.items() if name not in QUIET} | {events.FILLED_FIRST: "limbo"}
OWN_WORDS = [
    line.partition("\t")
    for line in (CORPUS / "own_words" / "lines.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


def test_lines_in_own_words_say_their_events_and_others_nothing():
    assert (
        sum(label == "-" for label, _, _ in OWN_WORDS)
        >= 400
        <= sum(label != "-" for label, _, _ in OWN_WORDS)
    )
    wrong = []
    for label, _, text in OWN_WORDS:
        told = {ALARMS[kind] for kind in read_kinds(text) if kind in ALARMS}
        if told != set(label.split()) - {"-"}:
            wrong.append(f"{label} told as {sorted(told)}: {text}")
    assert wrong == []


@pytest.mark.parametrize("concept", order_matchers.CONCEPTS, ids=lambda concept: concept.state.pattern[:24])
def test_whatever_a_state_of_an_order_can_match_has_an_unusual_text(concept):
    """The texts are looked for before the patterns are compiled: none of their forms may lack one."""
    pattern = re.compile(concept.state.pattern, re.ASCII)

    check_texts(pattern, order_matchers.UNUSUAL)


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        pytest.param(code_formats._NATURAL, code_formats._PROGRAMS, id="a program that names a code"),
        pytest.param(account_matchers._ENTITLED.pattern, account_matchers._ENTITLING, id="no subscription"),
        pytest.param(account_matchers._LAPSED.state, account_matchers._ENTITLING, id="one that lapsed"),
    ],
)
def test_whatever_a_pattern_can_match_has_one_of_the_texts_that_stand_before_it(pattern, texts):
    check_texts(re.compile(pattern.pattern, re.ASCII), texts)


def check_texts(pattern, texts):
    """Assert that what the pattern matches has one of the texts."""
    plain = "未" not in pattern.pattern  # what is Chinese is so in every alternative

    @settings(max_examples=100)
    @given(st.from_regex(pattern, alphabet=st.characters(codec="ascii" if plain else "utf-8")))
    def check(text):
        hit = pattern.search(text)
        assert hit is None or has_any(texts, hit[0])

    check()


def test_a_piece_of_a_prefix_begins_as_its_form_says():
    """Only the forms that can begin so are tried: at each word of each line no other one may match."""
    wrong = []
    for line in {row.text[:200] for row in labelled(CORPUS)} | {f"{layer} x" for layer in "[{<|;,-_$ é1²"}:
        for at in {0, *(hit.end() for hit in re.finditer(r"[\s|:]", line))}:
            start = at + len(line[at:]) - len(line[at:].lstrip())
            hit = next((hit for piece in prefixes._PIECES if (hit := piece.form.match(line, start))), None)
            tried = prefixes._match_piece(line, at)
            if (hit and hit.span()) != (tried and tried.span()):
                wrong.append((line, at))
    assert wrong == []


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (events.OUTCOME_UNKNOWN, "ERROR 订单 5 发送结果未知"),
        (events.OUTCOME_UNKNOWN, "ERROR 委托 5 状态未知 请人工核对"),
        (events.OUTCOME_UNKNOWN, "ERROR 注文 5512 の送信結果が不明です"),
        (events.OUTCOME_UNKNOWN, "ERROR 주문 5512 접수 여부 불명"),
        (events.OUTCOME_UNKNOWN, "ERROR 下单后未收到委托回报 orderId=9"),
        (events.OUTCOME_UNKNOWN, "ERROR Auftrag 5512: Ergebnis des Sendens unbekannt"),
        (events.OUTCOME_UNKNOWN, "ERROR order_send_outcome=unknown order_id=5512"),
        (events.OUTCOME_UNKNOWN, "WARNING The order SL6 will be considered lost."),
        (events.UNKNOWN_FILL, "ERROR 收到未知订单的成交: orderId=4412 AAPL 100@191.2"),
        (events.UNKNOWN_FILL, "ERROR 成交回报找不到对应委托 4412"),
        (events.UNKNOWN_FILL, "ERROR 不明な注文の約定 4412"),
        (events.UNKNOWN_FILL, "ERROR Unbekannte Ausführung für Order 4412"),
        (events.GATEWAY_FAILED, "FEHLER IBC: Anmeldung fehlgeschlagen: falsches Passwort"),
        (events.GATEWAY_FAILED, "FEHLER IBKR: Zu viele Anmeldeversuche, Konto gesperrt"),
        (events.GATEWAY_FAILED, "ERROR Échec d'authentification TWS"),
        (events.GATEWAY_FAILED, "ERROR Error de inicio de sesión en IBKR: contraseña incorrecta"),
        (events.GATEWAY_FAILED, "ERROR IB Gateway 登录失败: 用户名或密码错误"),
        (events.GATEWAY_FAILED, "ERROR IBゲートウェイへのログインに失敗しました"),
        (events.GATEWAY_FAILED, "ERROR IB 게이트웨이 로그인 실패"),
        (events.LOGIN_DUE, "ERROR 二次验证超时 IBKR"),
        (events.LOGIN_DUE, "ERROR 需要重新登录 IB Gateway"),
        (events.SESSION_CONFLICT, "ERROR IBKR 会话被其他设备登录"),
        (events.SESSION_CONFLICT, "ERROR IB Gateway 检测到已存在会话"),
        (events.SESSION_CONFLICT, "WARNUNG IBC: bestehende Sitzung erkannt"),
        (events.LOGGED_IN, "INFO IB Gateway 登录成功"),
        (events.LOGGED_IN, "INFO IBKR: Anmeldung erfolgreich"),
        (events.MISMATCH, "WARNING 账本与券商持仓不一致: {'AAPL'}"),
        (events.MISMATCH, "WARNING 收盘对账发现差异 AAPL 本地100 券商0"),
        (events.MISMATCH, "ERROR ポジション不一致: ブローカー 0, ローカル 100"),
        (events.MISMATCH, "ERROR Reconciliation FAILED: AAPL bot=100 ibkr=0"),
    ],
)
def test_a_line_in_another_script_or_spelling_reports_the_event(kind, line):
    assert kind in read_kinds(f"2026-06-02 14:41:10,001 {line}")


@pytest.mark.parametrize(
    "line",
    [
        "INFO 订单 5 发送成功", "INFO 订单 5 发送结果已知: 已成交", "INFO 委托状态未知数量: 0", "INFO 未知成交: 0",
        "INFO 对账完成 持仓一致", "INFO 对账差异: 0", "INFO 持仓不一致检查: 未发现", "INFO 持仓不一致时报警",
        "INFO IBKR 登录失败次数: 0", "INFO 登录失败 redis", "INFO 网站用户登录失败", "INFO IBKR 会话正常 用户已登录",
        "INFO 若 IBKR 需要重新登录则报警", "INFO Telegram: Anmeldung fehlgeschlagen", "INFO IBKR Login-Seite geladen",
        "INFO 委托 5 状态: 已提交", "INFO 注文 5 の状態: 送信済み", "INFO order status unknown handler registered",
        "INFO reconciliation failed: count=0", "INFO 本地数据与券商行情不同步",
    ],
)  # fmt: skip
def test_a_good_line_in_another_script_or_the_name_of_a_handler_is_quiet(line):
    assert read_kinds(f"2026-06-02 14:41:10,001 {line}") <= {events.RECONCILED}
