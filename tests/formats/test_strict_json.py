"""A JSON document at the door: what is taken, what is refused, and what a refusal says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detector.formats.errors import InputError
from detector.formats.serialize import format_canonical, format_document
from detector.formats.strict_json import (
    MAX_BYTES,
    MAX_DEPTH,
    _load,
    _load_plain,
    describe_kind,
    escape_hidden,
    parse_document,
    redact_excerpt,
    replace_surrogates,
    to_one_line,
)

SECRETS = ("hunter2", "s3cr3tpass", "AKIAIOSFODNN7EXAMPLE", "123456789012", "DU1234567", "ann@example.com")
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=4)


def refusal(data: bytes | str, **more: int) -> str:
    """What the refusal of a document says."""
    with pytest.raises(InputError) as caught:
        parse_document(data.encode() if isinstance(data, str) else data, **more)
    return str(caught.value)


def nested(depth: int, opening: str = "[") -> str:
    """A document of that depth, its root included."""
    inner = opening * (depth - 1)
    closing = {"[": "]", '{"a":': "}"}[opening] * (depth - 1)
    return f'{{"a":{inner}1{closing}}}'


# ---- what is taken -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "value"),
    [
        pytest.param(b"{}", {}, id="the empty object"),
        pytest.param(b" \t\r\n{} \t\r\n", {}, id="white space around it"),
        pytest.param(b"\xef\xbb\xbf{}", {}, id="a byte-order mark"),
        pytest.param(b'\xef\xbb\xbf {"a": 1}', {"a": 1}, id="a byte-order mark and white space"),
        pytest.param(b'{"a": null}', {"a": None}, id="null"),
        pytest.param(b'{"a": true}', {"a": True}, id="true"),
        pytest.param(b'{"a": -0.0}', {"a": 0.0}, id="minus nothing"),
        pytest.param(b'{"a": 1e308}', {"a": 1e308}, id="near the largest double"),
        pytest.param(b'{"a": 1e-400}', {"a": 0.0}, id="too small for a double: nothing"),
        pytest.param(b'{"a": 1' + b"0" * 308 + b"}", {"a": 10**308}, id="a whole number of 309 digits"),
        pytest.param(b'{"a": -1' + b"0" * 308 + b"}", {"a": -(10**308)}, id="and one below nothing"),
        pytest.param(b'{"a": 0.' + b"1" * 5000 + b"}", {"a": 0.1111111111111111}, id="5,000 decimals"),
        pytest.param('{"a": "é漢😀"}'.encode(), {"a": "é漢😀"}, id="letters of two, three and four bytes"),
        pytest.param(b'{"a": "\\u00e9\\n\\/"}', {"a": "é\n/"}, id="escapes"),
        pytest.param(b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}, id="a surrogate pair"),
        pytest.param(b'{"a": "\\ud800"}', {"a": "\ufffd"}, id="a lone high surrogate"),
        pytest.param(b'{"a": "\\uDFFFx"}', {"a": "\ufffdx"}, id="a lone low surrogate"),
        pytest.param(
            b'{"a": "\\ude00\\ud83d"}', {"a": "\ufffd\ufffd"}, id="a surrogate pair the wrong way round"
        ),
        pytest.param(
            b'{"\\udead": [{"\\udead": 1}]}', {"\ufffd": [{"\ufffd": 1}]}, id="one in a key, at depth"
        ),
        pytest.param(
            b'{"a": {"x": 1}, "b": {"x": 1}}', {"a": {"x": 1}, "b": {"x": 1}}, id="a key in two objects"
        ),
        pytest.param(b'{"": 1, " ": 2}', {"": 1, " ": 2}, id="keys of nothing and of a blank"),
        pytest.param(
            b'{"a": "NaN Infinity 1e400"}', {"a": "NaN Infinity 1e400"}, id="bad numbers inside text"
        ),
    ],
)
def test_a_document_is_read(data, value):
    assert parse_document(data) == value


@pytest.mark.parametrize("opening", ["[", '{"a":'], ids=["arrays", "objects"])
@pytest.mark.parametrize(
    ("depth", "taken"),
    [
        (1, True),
        (MAX_DEPTH - 1, True),
        (MAX_DEPTH, True),
        (MAX_DEPTH + 1, False),
        (900, False),
        (100_000, False),
    ],
)
def test_nesting_is_taken_to_64_the_root_being_1(depth, taken, opening):
    text = nested(depth, opening)
    if taken:
        assert isinstance(parse_document(text.encode()), dict)
    else:
        assert refusal(text) == "the document is nested over 64 deep"


def test_the_deepest_of_many_branches_counts():
    shallow = '"x%d": [[]], '
    text = "{" + "".join(shallow % n for n in range(100)) + '"y": ' + "[" * 64 + "]" * 64 + "}"
    assert refusal(text) == "the document is nested over 64 deep"


@pytest.mark.parametrize("what", [b"[", b'{"a":', b'[[{"":', b'{"a":[{"b":'], ids=repr)
def test_nesting_without_an_end_is_refused_like_any_other(what):
    assert refusal(what * 100_000) == "the document is nested over 64 deep"


def test_bytes_are_counted_as_they_arrive():
    assert MAX_BYTES == 16 * 1024 * 1024
    for most, data in ((2, b"{}"), (5, b"\xef\xbb\xbf{}"), (10, '{"a":"é"}'.encode())):
        assert isinstance(parse_document(data, max_bytes=most), dict)
        assert refusal(data, max_bytes=most - 1).startswith("the document is over ")


@pytest.mark.parametrize(("more", "taken"), [(-1, True), (0, True), (1, False)], ids=["below", "at", "above"])
def test_16_mib_are_taken_and_a_byte_more_is_not(more, taken):
    data = b'{"a": "' + b"x" * (MAX_BYTES - 9 + more) + b'"}'
    assert len(data) == MAX_BYTES + more
    if taken:
        assert len(parse_document(data)["a"]) == MAX_BYTES - 9 + more
    else:
        assert refusal(data) == "the document is over 16 MiB"


# ---- what is refused, and what the refusal says ------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"", "the document is empty; an object such as {} was expected", id="nothing"),
        pytest.param(b" \r\n\t", "the document is empty; an object such as {} was expected", id="blanks"),
        pytest.param(
            b"\xef\xbb\xbf", "the document is empty; an object such as {} was expected", id="a BOM alone"
        ),
        pytest.param(b"[]", "the document is an array, not an object", id="an array"),
        pytest.param(b"null", "the document is null, not an object", id="null"),
        pytest.param(b"true", "the document is true or false, not an object", id="a flag"),
        pytest.param(b"3", "the document is a number, not an object", id="a number"),
        pytest.param(b'"{}"', "the document is text, not an object", id="text"),
        pytest.param(b"not json", "line 1 column 1: expecting value", id="no JSON at all"),
        pytest.param(b"<html>", "line 1 column 1: expecting value", id="a login page"),
        pytest.param(b'{"a": 1', "line 1 column 8: expecting ',' delimiter", id="cut short"),
        pytest.param(b'{"a": "x', "line 1 column 7: unterminated string starting at", id="cut in text"),
        pytest.param(b'{"a": 1,}', "line 1 column ", id="a comma too much"),
        pytest.param(
            b"{'a': 1}", "line 1 column 2: expecting property name enclosed in double quotes", id="quotes"
        ),
        pytest.param(
            b'{"a": 1} // x', "line 1 column 10: text after the end of the document", id="a comment"
        ),
        pytest.param(b"{}{}", "line 1 column 3: text after the end of the document", id="two documents"),
        pytest.param(b"{}\n{}\n", "line 2 column 1: text after the end of the document", id="NDJSON"),
        pytest.param(
            b'{"a":1}\x00', "line 1 column 8: text after the end of the document", id="a NUL behind"
        ),
        pytest.param(
            b'{"a": "\n"}', "line 1 column 8: invalid control character at", id="a bare line feed in text"
        ),
        pytest.param(b'{"a": "\\x"}', "line 1 column 8: invalid \\escape", id="an escape that is none"),
        pytest.param(b'{"a": 01}', "line 1 column 8: expecting ',' delimiter", id="a leading nought"),
        pytest.param(b'{"a": .5}', "line 1 column 7: expecting value", id="a leading point"),
        pytest.param(b'{"a": +1}', "line 1 column 7: expecting value", id="a plus"),
        pytest.param(b'{"a": 0x10}', "line 1 column 8: expecting ',' delimiter", id="hexadecimal"),
        pytest.param(b"\xef\xbb\xbf\xef\xbb\xbf{}", "line 1 column 1: unexpected UTF-8 BOM", id="two marks"),
    ],
)
def test_what_is_no_object_is_refused_and_the_place_is_named(data, says):
    assert refusal(data).startswith(says)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b'{"a": "\xff"}', "the document is not UTF-8 (byte 7)", id="a byte that never occurs"),
        pytest.param(b'{"a": "\xc0\xaf"}', "the document is not UTF-8 (byte 7)", id="an overlong slash"),
        pytest.param(
            b'{"a": "\xed\xa0\x80"}', "the document is not UTF-8 (byte 7)", id="an encoded surrogate"
        ),
        pytest.param(b'{"a": "\xe9"}', "the document is not UTF-8 (byte 7)", id="latin-1"),
        pytest.param(b'{"a": "\xf0\x9f\x98', "the document is not UTF-8 (byte 7)", id="cut inside a letter"),
        pytest.param("{}".encode("utf-16"), "it looks like UTF-16", id="UTF-16 with a mark"),
        pytest.param(
            "漢字漢字".encode("utf-16"), "it looks like UTF-16", id="UTF-16 with a mark and without a nought"
        ),
        pytest.param(
            "{}".encode("utf-16-le"), "it looks like UTF-16", id="UTF-16, little end first, no mark"
        ),
        pytest.param("{}".encode("utf-16-be"), "it looks like UTF-16", id="UTF-16, big end first, no mark"),
        pytest.param("{}".encode("utf-32"), "it looks like UTF-16 or UTF-32", id="UTF-32 with a mark"),
        pytest.param("{}".encode("utf-32-be"), "it looks like UTF-16 or UTF-32", id="UTF-32 without"),
        pytest.param(b"\x1f\x8b\x08\x00", "is compressed (gzip)", id="gzip"),
    ],
)
def test_what_is_not_utf_8_is_refused(data, says):
    assert says in refusal(data)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param('{"a": NaN}', "line 1 column 7: NaN is not a finite number", id="NaN"),
        pytest.param('{"a": Infinity}', "line 1 column 7: Infinity is not a finite number", id="Infinity"),
        pytest.param('{"a": -Infinity}', "line 1 column 7: -Infinity is not a finite number", id="-Infinity"),
        pytest.param('{"a": 1e400}', "line 1 column 7: 1e400 is not a finite number", id="1e400"),
        pytest.param('{"a": -1E+400}', "line 1 column 7: -1E+400 is not a finite number", id="-1E+400"),
        pytest.param(
            '{"a": 1e0000000000000000000400}',
            "line 1 column 7: 1e0000000000000000000400 is not a finite number",
            id="24 letters, shown",
        ),
        pytest.param(
            '{"a": 1e00000000000000000000400}',
            "line 1 column 7: a number of 25 digits is not a finite number",
            id="25 letters, counted",
        ),
        pytest.param(
            '{"a": 1.8e308}', "line 1 column 7: 1.8e308 is not a finite number", id="just too large"
        ),
        pytest.param(
            '{"a": ' + "1" * 5000 + "}",
            "line 1 column 7: a number of 5000 digits is not a finite number",
            id="5,000 digits",
        ),
        pytest.param(
            '{"a": ' + "2" * 309 + "}",
            "line 1 column 7: a number of 309 digits is not a finite number",
            id="309 digits",
        ),
        pytest.param(
            '{"a":\n\n  [0, NaN]}', "line 3 column 7: NaN is not a finite number", id="on the third line"
        ),
        pytest.param(
            '{"a": "so NaN it is", "b": NaN}',
            "line 1 column 28: NaN is not a finite number",
            id="after a text with it",
        ),
        pytest.param(
            '{"NaN": "\\" NaN \\"",\n "b": NaN}',
            "line 2 column 7: NaN is not a finite number",
            id="after quotes in text",
        ),
        pytest.param(
            '{"a": 11e40, "b": 1e400}', "line 1 column 19: 1e400", id="after a number that resembles it"
        ),
        pytest.param('{"a": -Infinity, "b": 3}', "line 1 column 7: -Infinity", id="the sign belongs to it"),
    ],
)
def test_a_number_outside_a_double_is_refused_where_it_stands(text, says):
    assert refusal(text).startswith(says)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param('{"a": 1, "a": 1}', "the key 'a' stands twice at the top level", id="at the top"),
        pytest.param(
            '{"b": 1, "a": 1, "a": 2}', "the key 'a' stands twice at the top level", id="not the first one"
        ),
        pytest.param('{"s": {"a": 1, "a": 2}}', "the key 'a' stands twice in s", id="in a section"),
        pytest.param(
            '{"s": {"rows": [{}, {"a": 1, "b": 2, "a": 3}]}}',
            "the key 'a' stands twice in s.rows[1]",
            id="in a row",
        ),
        pytest.param(
            '{"a": 1, "\\u0061": 2}', "the key 'a' stands twice at the top level", id="once as an escape"
        ),
        pytest.param(
            '{"a": {"b": 1, "b": 2}, "a": 3}',
            "the key 'b' stands twice in the document",
            id="in what a twin hides",
        ),
        pytest.param('{"a": null, "a": null}', "the key 'a' stands twice", id="even of nothing"),
        pytest.param(
            '{"\\ud800": 1, "\\ud801": 2}',
            "two keys differ only in characters that are not valid Unicode",
            id="surrogates",
        ),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_place(text, says):
    assert refusal(text).startswith(says)


def test_a_key_twice_is_found_at_the_greatest_depth():
    text = '{"a":' * (MAX_DEPTH - 1) + '{"k":1,"k":1}' + "}" * (MAX_DEPTH - 1)
    assert refusal(text) == "the key 'k' stands twice in " + ".".join("a" * (MAX_DEPTH - 1))[:79] + "…"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"KEY": 1, "KEY": 2}', id="a key twice"),
        pytest.param('{"KEY": {"a": 1, "a": 2}}', id="the place of a key twice"),
        pytest.param('{"KEY": 1}}', id="trailing text"),
    ],
)
@pytest.mark.parametrize(
    "key",
    [
        "https://ann:hunter2@host/x",
        "password=hunter2",
        "arn:aws:iam::123456789012:role/x",
        "account DU1234567",
        "ann@example.com " + "x" * 200,
        "x" * 70 + " AKIAIOSFODNN7EXAMPLE",
        "x" * 75 + " DU1234567",
        "line\\nbreak",
        "y" * 100_000,
    ],
)
def test_a_refusal_is_one_short_line_without_a_secret(text, key):
    said = refusal(text.replace("KEY", key))
    assert "\n" not in said
    assert len(said) < 250
    assert not [secret for secret in SECRETS if secret in said]


def test_a_number_of_a_million_digits_is_refused_in_little_time():
    assert "a number of 1000000 digits" in refusal('{"a": ' + "7" * 1_000_000 + "}")


# ---- on the way out ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (True, "true or false"),
        (0, "a number"),
        (1.5, "a number"),
        ("", "text"),
        ([], "an array"),
        ({}, "an object"),
    ],
)
def test_a_kind_is_named_in_the_words_of_json(value, kind):
    assert describe_kind(value) == kind


def test_pretty_is_what_the_runbook_shows():
    assert format_document({"events": [], "new_events": []}) == '{\n  "events": [],\n  "new_events": []\n}\n'
    assert format_document({"b": "é", "a": 1}) == '{\n  "b": "é",\n  "a": 1\n}\n'


@given(JSON)
@example({"a": [], "b": {}, "c": [{}, []], "\ud800": "\ud800", "é": 1e16})
def test_pretty_is_what_python_writes_with_two_spaces(value):
    written = json.dumps(value, indent=2, ensure_ascii=False)
    assert format_document(value) == escape_hidden(written) + "\n"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("write", [format_document, format_canonical])
def test_no_number_that_json_does_not_know_is_ever_written(write, number):
    with pytest.raises(ValueError, match="JSON"):
        write({"a": number})


def test_the_canonical_text_does_not_depend_on_the_order_of_keys():
    assert format_canonical({"b": [1, {"d": 1, "c": "é"}], "a": 2}) == '{"a":2,"b":[1,{"c":"\\u00e9","d":1}]}'


@pytest.mark.parametrize(
    ("length", "shown"),
    [(79, "x" * 79), (80, "x" * 80), (81, "x" * 79 + "…")],
    ids=["below", "at", "above"],
)
def test_what_a_message_shows_is_cut_at_80_letters(length, shown):
    assert redact_excerpt("x" * length) == shown


def test_a_secret_is_hidden_before_the_cut_that_would_disguise_it():
    assert "arn:aws:iam::123456789" not in redact_excerpt("x" * 55 + " arn:aws:iam::123456789012:role/deploy")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a b é 😀", "a b é 😀"),
        ("a\nb\r\tc", "a b  c"),
        ("\x1b[31mred", " [31mred"),
        ("a\u2028b\u202ec", "a b c"),
        ("\ud800", " "),
    ],
)
def test_one_line_moves_no_cursor(text, line):
    assert to_one_line(text) == line


# ---- properties --------------------------------------------------------------------------------------


@given(
    data=st.binary(max_size=200)
    | st.text(alphabet='{}[]",:\\ntrue0e-+.Na \ud800', max_size=60).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    )
)
def test_any_bytes_are_an_object_or_one_line_of_refusal(data):
    read, said = None, ""
    try:
        read = parse_document(data)
    except InputError as error:
        said = str(error)
    assert said.isprintable()
    assert isinstance(read, dict) is (said == "")
    format_document(read).encode("utf-8")


_LETTERS = '{}[]:,"\\ \t\n0123456789.-+eEtrufalsn/\u00e9\u2028\x01a'


@given(
    data=st.text(_LETTERS, max_size=30).map(str.encode)
    | st.binary(max_size=12).map(lambda inner: b'"' + inner + b'"')
    | st.from_regex(rb"-?[0-9]{1,25}(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
    | OBJECTS.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
)
@example(data=b'{"a": 1, "a": 1}')
@example(data=b'{"a b": 1, "ab": 1}')
@example(data=b"[-0, 1.0, 100000000000000000000]")
@example(data=b"9" * 310)
def test_the_quick_way_gives_what_the_strict_one_gives(data):
    value = _load_plain(data)
    assert value is None or repr(value) == repr(_load(data.decode()))


@given(value=OBJECTS)
def test_what_was_written_is_read_again(value: dict[str, Any]):
    value = json.loads(json.dumps(value))
    for write in (format_document, format_canonical):
        assert parse_document(write(value).encode()) == value


@given(value=OBJECTS, extra=st.binary(min_size=1, max_size=4))
def test_text_behind_a_document_is_never_swallowed(value, extra):
    data = json.dumps(value).encode() + extra
    if extra.strip(b" \t\r\n"):
        refusal(data)
    else:
        assert parse_document(data) == value


@given(text=st.text(alphabet=st.characters(), max_size=20))
def test_clean_text_can_always_be_encoded_and_is_left_alone_where_it_could(text):
    assert replace_surrogates(text).encode("utf-8")[:0] == b""
    if not any(0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        assert replace_surrogates(text) == text
