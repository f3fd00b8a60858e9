"""The core's YAML reader: what it reads, it reads as vcrpy's loader does; everything else it leaves to that loader."""

import io
import os

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_vcr import _core, codec
from llm_vcr.errors import CassetteFileError
from vcr.serializers import yamlserializer

DEPTH = settings(max_examples=int(os.environ.get("HYPOTHESIS_CASES", "60")), deadline=None)


def ours(text):
    try:
        return _core.read_yaml(text.encode("utf-8", "surrogatepass"), codec._resolve)
    except (yaml.YAMLError, ValueError):
        return None


def with_bytes(tree):
    """What `codec` documents: the bodies as bytes, everything else as the YAML says."""
    interactions = tree.get("interactions") if isinstance(tree, dict) else None
    for one in interactions if isinstance(interactions, list) else ():
        if isinstance(one, dict):
            _encode(one.get("request"), "body")
            _encode(one["response"].get("body") if isinstance(one.get("response"), dict) else None, "string")
    return tree


def _encode(holder, name):
    if isinstance(holder, dict) and isinstance(holder.get(name), str):
        holder[name] = holder[name].encode()


def same(text):
    """Whether the fast reader took it; if so, it must have read what vcrpy reads."""
    mine = ours(text)
    if mine is not None:
        assert repr(mine) == repr(with_bytes(yamlserializer.deserialize(text)))
    return mine is not None


WORDS = [
    "yes",
    "On",
    "no",
    "0777",
    "1:30",
    "2024-01-01",
    "1e3",
    "1.5",
    ".5",
    "~",
    "null",
    "=",
    "<<",
    "0x1F",
    "0b11",
    "1_000",
    "-",
    "--- a",
    "...",
]
WORDS += [
    "a: b",
    "a #b",
    "# c",
    "&a",
    "*a",
    "!x",
    "[",
    "{}",
    "%d",
    "@",
    "`",
    "'",
    '"',
    "? x",
    "- x",
    "3.11.7",
    "2024-01-01T00:00:00Z",
    ".inf",
    "+1",
]
texts = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=60),
    st.text(alphabet=st.sampled_from("ab \n\t:#'\"\\-{}é\u2028\x85\U0001f600,"), max_size=120),
    st.lists(st.text(alphabet="words and lines ", min_size=1, max_size=40), max_size=8).map("\n".join),
    st.lists(st.text(alphabet="abcdefgh", min_size=1, max_size=12), min_size=10, max_size=60).map(" ".join),
)
scalars = st.one_of(texts, st.binary(max_size=100), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False), st.dates())
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.one_of(texts, st.integers()), inner, max_size=4)),
    max_leaves=20,
)
headers = st.dictionaries(st.sampled_from(["accept", "Content-Type", "x-id", "date"]), st.lists(texts, min_size=1, max_size=2))
bodies = st.one_of(st.none(), texts, st.binary(max_size=200))
cassettes = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "interactions": st.lists(
            st.fixed_dictionaries(
                {
                    "request": st.fixed_dictionaries(
                        {"body": bodies, "headers": headers, "method": st.just("POST"), "uri": st.just("https://h/v1")}
                    ),
                    "response": st.fixed_dictionaries(
                        {
                            "body": st.fixed_dictionaries({"string": bodies}),
                            "headers": headers,
                            "status": st.just({"code": 200, "message": "OK"}),
                        }
                    ),
                }
            ),
            max_size=4,
        ),
    }
)
styles = st.fixed_dictionaries(
    {
        "default_style": st.sampled_from([None, None, None, "'", '"', "|", ">"]),
        "allow_unicode": st.booleans(),
        "width": st.sampled_from([20, 80, 2**30]),
        "indent": st.sampled_from([2, 4]),
        "sort_keys": st.booleans(),
        "explicit_start": st.booleans(),
    }
)


@DEPTH
@given(trees, styles)
def test_whatever_pyyaml_dumps_is_read_as_pyyaml_reads_it(tree, style):
    same(yaml.dump({"root": tree}, Dumper=yaml.CDumper, **style))


@DEPTH
@given(cassettes)
def test_what_vcrpy_writes_is_read_without_pyyaml(cassette):
    assert same(yamlserializer.serialize(cassette))


@DEPTH
@given(cassettes, styles, st.data())
def test_damage_is_never_read_differently(cassette, style, data):
    text = yaml.dump(cassette, Dumper=yaml.CDumper, **style)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.sampled_from([0, 0, 1, 1, 2, 7]))
        new = data.draw(
            st.sampled_from(
                ["", " ", "\n", "  ", ":", ": ", "#", " #", "'", '"', "\\", "- ", "-", "|", ">", "&a ", "*a", "!!str ", "\t", "a", "1"]
            )
        )
        text = text[:at] + new + text[at + cut :]
    same(text)


@DEPTH
@given(st.text(alphabet=st.sampled_from("ab1 \n\n  :-#'\"|>+&*!?{}[],%@~=<.0"), max_size=60))
def test_random_lines_are_never_read_differently(text):
    same(f"key:\n  {text}\n")
    same(text + "\n")


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("form", ["a: {}\n", "- {}\n", "{}: a\n", "a:\n- {}\n  b\n", "a: !!str {}\n", "a: !!python/unicode '{}'\n"])
def test_plain_scalars_are_resolved_as_in_yaml_1_1(word, form):
    text = form.format(word)
    try:
        yamlserializer.deserialize(text)
    except (yaml.YAMLError, ValueError):
        assert ours(text) is None
    else:
        same(text)


@pytest.mark.parametrize("tree", [{"a": "yes"}, {"a": ["0777", 0o777, 1.5, None, True]}, {"a": "1:30", 200: "b"}])
def test_common_scalars_take_the_fast_path(tree):
    assert same(yaml.dump(tree))


@pytest.mark.parametrize(
    "text",
    [
        "a: |\n  one\n\n   two\nb: >-\n  one\n  two\n\n  three\n   four\n  five\n",
        "a: |2\n    one\n  two\n",
        "a: |+\n  one\n\n\nb: |-\n  one\n",
        "a: !!binary |\n  AAEC\n  /w==\nb: !!python/unicode 'x'\n",
        "a: one\n  two\n\n  three\nb: 'it''s\n  two\n\n\n  lines'\n",
        'a: "one \\\n  \\ two\\u00e9 \\x41\n  three"\n',
        "- - a\n  - b\n- c: 1\n  d:\n  - 2\n-\n  e: {}\n-\n",
        "---\na: []\n",
    ],
)
def test_what_dumpers_write_takes_the_fast_path(text):
    assert same(text)


def test_aliases_are_the_same_object():
    shared = {"x": ["1"]}
    text = yaml.dump({"a": shared, "b": [shared, {"c": shared["x"]}]})
    assert "*id" in text
    tree = ours(text)
    assert tree is not None
    assert tree["a"] is tree["b"][0]
    assert tree["a"]["x"] is tree["b"][1]["c"]


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\r\nb: 2\r\n",
        "a: 'x\u2028y'\n",
        "# comment\na: 1\n",
        "a: 1 # comment\n",
        "a: {b: 1}\n",
        "? a\n: b\n",
        "a: &x 1\nb: *x\n",
        "a: !!set {}\n",
        "a: 1",
        "\ufeffa: 1\n",
        "%YAML 1.1\n---\na: 1\n",
        "a: 1\n...\n",
        "a: 1\n---\nb: 1\n",
        "<<: {}\na: 1\n",
    ],
)
def test_what_dumpers_do_not_write_is_left_to_pyyaml(text):
    assert ours(text) is None


def test_deep_nesting_is_left_to_pyyaml():
    assert ours("".join(f"{' ' * level}a:\n" for level in range(5000))) is None
    assert ours("- " * 5000 + "a\n") is None


def cassette_text(**request):
    request = {"method": "POST", "uri": "https://h/", "headers": {"Accept": ["a", "b"]}, "body": "x", **request}
    response = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": "é"}}
    return yaml.dump({"version": 1, "interactions": [{"request": request, "response": response}]})


@DEPTH
@given(cassettes)
def test_both_ways_give_the_same_record(tmp_path_factory, cassette):
    text = yamlserializer.serialize(cassette)
    assert codec._read_plain(text.encode()) is not None
    path = tmp_path_factory.getbasetemp() / "c.yaml"
    path.write_bytes(text.encode())
    assert codec.read_file(str(path)) == codec._read_plain(text.encode())
    assert codec.read(text.encode(), "c.yaml") == codec.decode(text, "c.yaml")


@pytest.mark.parametrize(
    "unusual",
    [
        {"headers": {"a": [], "b": "plain"}},
        {"headers": {"A": ["1"], "a": ["2"]}},
        {"body": {"a": 1}},
        {"body": 5},
        {"body": io.BytesIO(b"file")},
        {"extra": 1},
        {"uri": 5},
    ],
)
def test_unusual_requests_go_the_long_way(unusual):
    assert codec._read_plain(yamlserializer.serialize(yaml.safe_load("{}") | {"x": 0}).encode()) is None
    text = yaml.dump(
        {
            "version": 1,
            "interactions": [{"request": {"method": "POST", "uri": "https://h/", "headers": {}, "body": None} | unusual, "response": {}}],
        },
        Dumper=yamlserializer._CassetteDumper,
    )
    assert codec._read_plain(text.encode()) is None


def test_a_file_that_cannot_be_read_or_is_unusual_is_left_to_whoever_opens_it_next(tmp_path):
    (tmp_path / "unusual.yaml").write_text("{version: 1, interactions: []}\n")
    (tmp_path / "cut.yaml").write_bytes(cassette_text().encode()[:-1])
    for name in ("none.yaml", "unusual.yaml", "cut.yaml", "."):
        assert codec.read_file(str(tmp_path / name)) is None


@pytest.mark.parametrize("odd", ["\x07", "\x7f", "\u2028", "\ufeff", "\ufffe", "é", " ", "-"])
@pytest.mark.parametrize("at", [0, 1, 63, 64, 16_383, 16_384, 40_000])
def test_a_long_run_of_base64_hides_nothing(odd, at):
    """The files are looked at in blocks, and those that are base64 from end to end not any closer."""
    run = "QUJD" * 12_000
    text = cassette_text(body="BODY").replace("BODY", f"'{run[:at]}{odd}{run[at:]}'")
    printable = all(one.isprintable() for one in odd) or odd == " "
    assert (codec._read_plain(text.encode()) is not None) is printable
    if printable:
        assert codec.read(text.encode(), "c.yaml") == codec.decode(text, "c.yaml")


@pytest.mark.parametrize("odd", ["\t", "\x1f", "\x7f", "\x80", "\x85", "\x9f", "\u2028", "\u2029", "\ufeff", "\ufffe", "\uffff"])
@pytest.mark.parametrize("around", ["say ", "“naïve” – ", "《，》：", "䀨䀩　", "\xa0«»\ufb00"])
def test_prose_of_any_script_hides_nothing(odd, around):
    """It is looked at in pieces, and closely only those that may hold something; most characters begin as an odd one does."""
    for at in (*range(240, 262), 300, 511, 512, 513, 900):
        prose = (around * 1000).encode()[: at + 4].decode("utf-8", "ignore")
        for body in (prose[:-1] + odd, prose[:-1] + odd + "x", prose[:-3] + odd + around * 100):
            text = cassette_text(body="BODY").replace("BODY", f"'{body}'")
            assert (codec._read_plain(text.encode()) is not None) is (odd == "\t")
    text = cassette_text(body="BODY").replace("BODY", f"'{around * 100}x'")
    assert codec._read_plain(text.encode()) == codec.decode(text, "c.yaml")


def test_an_impossible_date_is_named_with_its_file():
    text = cassette_text().replace("body: x", "body: 2024-13-45")
    with pytest.raises(CassetteFileError, match=r"c\.yaml"):
        codec.read(text.encode(), "c.yaml")
