"""Which tests get a cassette, and in which record mode."""

from __future__ import annotations

import pytest

from tests.python.plugin.conftest import Suite, Workers
from tests.python.plugin.inner import ONE


def test_auto_records_and_replays_every_test(suite: Suite, workers: Workers) -> None:
    suite.write(source=ONE)
    first = suite.run().passed(1)
    assert (first.live, first.words()) == (1, {"test_one": "MISS:RECORDED"})
    assert suite.cassettes() == ["cassettes/test_it/test_one.yaml"]
    again = suite.run().passed(1)
    assert (again.live, again.words()) == (0, {"test_one": "HIT"})
    assert again.verdicts["test_one"]["played"] == 1


def test_auto_records_doctests_too(suite: Suite, workers: Workers) -> None:
    suite.ini(addopts="--doctest-modules --doctest-glob=*.md")
    suite.write(
        "shop.py",
        source="""
        def describe():
            '''
            >>> bool(ask("a module"))
            True
            '''

        def mocked():
            '''
            >>> transport = httpx.MockTransport(lambda request: httpx.Response(200, text="mocked"))
            >>> httpx.Client(transport=transport).post(URL).text
            'mocked'
            '''
    """,
    )
    (suite.path / "GUIDE.md").write_text(">>> from calls import ask\n>>> bool(ask('a guide'))\nTrue\n", "utf-8")
    suite.write(source="def test_one():\n    ask('one')\n")
    assert suite.run().passed(4).live == 3
    again = suite.run("--llm-vcr-max-live-calls=0").passed(4)
    assert (again.code, again.live) == (0, 0)
    assert again.words() == {"GUIDE.md": "HIT", "shop.describe": "HIT", "shop.mocked": "DISABLED", "test_one": "HIT"}
    assert suite.cassettes() == ["cassettes/GUIDE/GUIDE.md.yaml", "cassettes/shop/shop.describe.yaml", "cassettes/test_it/test_one.yaml"]
    assert suite.summary()["orphans"] == []


@pytest.mark.parametrize("marker", ["vcr", "llm_vcr"])
def test_marked_records_only_marked_tests(suite: Suite, marker: str, workers: Workers) -> None:
    suite.ini(llm_vcr="marked")
    suite.write(
        source=f"""
        @pytest.mark.{marker}
        def test_marked():
            ask("marked")

        def test_plain():
            pass
    """
    )
    run = suite.run().passed(2)
    assert run.words()["test_marked"] == "MISS:RECORDED"
    assert suite.cassettes() == ["cassettes/test_it/test_marked.yaml"]


def test_paths_bound_automatic_marking(suite: Suite) -> None:
    suite.ini(llm_vcr_paths="llm")
    suite.write("llm/test_in.py", source="def test_in(): ask('in')")
    suite.write("test_out.py", source="def test_out(): pass")
    suite.run().passed(2)
    assert suite.cassettes() == ["llm/cassettes/test_in/test_in.yaml"]


@pytest.mark.parametrize("how", ["ini", "flag", "environment", "disable", "no:llm_vcr"])
def test_off_does_nothing(suite: Suite, how: str, monkeypatch: pytest.MonkeyPatch, workers: Workers) -> None:
    arguments = []
    match how:
        case "ini":
            suite.ini(llm_vcr="off")
        case "flag":
            arguments = ["--llm-vcr=off"]
        case "environment":
            monkeypatch.setenv("LLM_VCR", "off")
        case "disable":
            monkeypatch.setenv("LLM_VCR_DISABLE", "1")
            arguments = ["--llm-vcr=auto"]
        case _:
            # pytest would warn of the keys in the ini file, as of any other plugin's.
            suite.ini(llm_vcr=None, llm_vcr_provider_hosts=None)
            arguments = ["-p", "no:llm_vcr"]
    suite.write(source=ONE)
    run = suite.run(*arguments).passed(1)
    assert (run.live, run.verdicts, suite.cassettes()) == (1, {}, [])
    assert "llm_vcr" not in run.text.replace("no:llm_vcr", "")


def test_a_flag_turns_it_on_without_any_file(suite: Suite, workers: Workers) -> None:
    suite.ini(llm_vcr=None, llm_vcr_provider_hosts=None)
    suite.write(source=ONE)
    run = suite.run("--llm-vcr", "--llm-vcr-provider-hosts=127.0.0.1").passed(1)
    assert run.words() == {"test_one": "MISS:RECORDED"}


def test_opted_out_test_has_no_cassette_and_says_why(suite: Suite, workers: Workers) -> None:
    suite.write(
        source="""
        @pytest.mark.llm_vcr(off="observes prompt-cache warm-up")
        def test_off():
            pass
    """
    )
    run = suite.run().passed(1)
    assert run.verdicts["test_off"]["verdict"] == "DISABLED"
    assert run.verdicts["test_off"]["reason"] == "observes prompt-cache warm-up"


def test_disable_recording_is_told_as_the_reason(suite: Suite) -> None:
    suite.write(source=ONE)
    run = suite.run("--disable-recording").passed(1)
    assert run.live == 1
    assert "--disable-recording" in run.verdicts["test_one"]["reason"]


# Strongest first. Each source says another mode, told apart by what a test without a cassette comes to.
ORDER = [
    ("--record-mode=none", "flag of pytest-recording"),
    ("--llm-vcr-record-mode=none", "flag"),
    ("env", "environment"),
    ("vcr", "vcr marker"),
    ("vcr_config", "vcr_config"),
    ("ini", "ini"),
]


@pytest.mark.parametrize("strongest", range(len(ORDER)), ids=[why for _, why in ORDER])
@pytest.mark.parametrize("winner", ["none", "new_episodes"])
def test_order_of_record_modes(suite: Suite, strongest: int, winner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is strongest says ``winner``, and everybody weaker the opposite."""
    loser = {"none": "new_episodes", "new_episodes": "none"}[winner]
    said = {what.partition("=")[0]: loser for what, _ in ORDER[strongest + 1 :]}
    said[ORDER[strongest][0].partition("=")[0]] = winner
    flags = [f"{name}={mode}" for name, mode in said.items() if name.startswith("--")]
    if mode := said.get("env"):
        monkeypatch.setenv("LLM_VCR_RECORD_MODE", mode)
    if mode := said.get("ini"):
        suite.ini(llm_vcr_record_mode=mode)
    if mode := said.get("vcr_config"):
        suite.conftest(f"""
            import pytest

            @pytest.fixture
            def vcr_config():
                return {{"record_mode": "{mode}"}}
        """)
    marker = f'@pytest.mark.vcr(record_mode="{mode}")' if (mode := said.get("vcr")) else ""
    suite.write(
        source=f"""
        {marker}
        def test_one():
            httpx.post(URL, json=body("one"), headers=KEY, verify=False)
    """
    )
    run = suite.run(*flags)
    if winner == "none":
        assert (run.live, run.verdicts["test_one"]["refused"]) == (0, 1)
    else:
        assert (run.live, run.words()) == (1, {"test_one": "MISS:RECORDED"})


def test_our_marker_wins_over_every_flag(suite: Suite, workers: Workers) -> None:
    suite.write(
        source="""
        @pytest.mark.llm_vcr(record_mode="new_episodes")
        def test_one():
            ask("one")
    """
    )
    assert suite.run("--record-mode=none", "--llm-vcr-record-mode=none").passed(1).live == 1


def test_ci_records_nothing_by_default(suite: Suite, monkeypatch: pytest.MonkeyPatch, workers: Workers) -> None:
    monkeypatch.setenv("CI", "true")
    suite.write(source=ONE)
    run = suite.run()
    assert (run.live, run.words()) == (0, {"test_one": "MISS:NOT_PERSISTED"})
    assert run.verdicts["test_one"]["refused"] >= 1
    assert "record mode none" in run.text
    assert suite.run("--llm-vcr-record-mode=new_episodes").passed(1).live == 1


def test_block_network_leaves_replay_alone(suite: Suite, workers: Workers) -> None:
    suite.write(source=ONE)
    suite.run("--block-network").passed(1)
    assert suite.run("--block-network", "--record-mode=none").passed(1).words() == {"test_one": "HIT"}


@pytest.mark.parametrize(
    ("settings", "arguments", "expected"),
    [
        ({"llm_vcr_medai": "keep"}, [], ["llm_vcr_medai", "did you mean"]),
        ({"llm_vcr_media": "shirnk"}, [], ["llm_vcr_media", "'shirnk'", "shrink"]),
        ({"llm_vcr_ttl": "-5"}, [], ["llm_vcr_ttl", "-5", "duration"]),
        ({"llm_vcr_mask": "(unclosed"}, [], ["llm_vcr_mask", "unclosed"]),
        ({"llm_vcr": "sometimes"}, [], ["llm_vcr", "auto, marked, off"]),
        ({"llm_vcr_store": "rediss"}, [], ["llm_vcr_store", "host"]),
        ({}, ["--llm-vcr-record-mode=twice"], ["--llm-vcr-record-mode", "twice", "new_episodes"]),
        ({}, ["-p", "no:recording"], ["pytest-recording"]),
        ({"llm_vcr_store": "ftp://host/x"}, [], ["llm_vcr_store", "ftp://host/x", "a store: file, file:DIR"]),
        ({"llm_vcr_store": "file:nowhere"}, ["--record-mode=none"], ["llm_vcr_store = 'file:nowhere'", "record first"]),
        ({"llm_vcr_store": "file:nowhere", "llm_vcr_record_mode": "none"}, [], ["llm_vcr_store = 'file:nowhere'", "record first"]),
        ({"llm_vcr_credential_hosts": "https://sts.example"}, [], ["llm_vcr_credential_hosts", "host names without scheme"]),
        ({"llm_vcr_canary": "maybe"}, [], ["llm_vcr_canary", "fail, warn, off"]),
    ],
)
def test_a_setting_that_cannot_be_is_a_usage_error(
    suite: Suite, settings: dict[str, str], arguments: list[str], expected: list[str], workers: Workers
) -> None:
    suite.ini(**settings)
    suite.write(source=ONE)
    run = suite.run(*arguments)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert run.live == 0
    for word in expected:
        assert word in run.text
    assert run.text.count("ERROR: ") == 1
    assert "Traceback" not in run.text


def test_a_bad_environment_variable_is_a_usage_error(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_VCR_RECORD_MOD", "none")
    suite.write(source=ONE)
    run = suite.run()
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "LLM_VCR_RECORD_MODE" in run.text


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ('llm_vcr(medai="keep")', "did you mean 'media'"),
        ('llm_vcr(media="shirnk")', "'shirnk'"),
        ('llm_vcr("keep")', "keyword arguments only"),
        ('llm_vcr(paths="x")', "paths"),
    ],
)
def test_a_bad_marker_is_a_usage_error_that_names_the_test(suite: Suite, marker: str, expected: str, workers: Workers) -> None:
    suite.write(
        source=f"""
        @pytest.mark.{marker}
        def test_one():
            ask("one")
    """
    )
    run = suite.run()
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert run.live == 0
    assert "test_it.py::test_one" in run.text
    assert expected in run.text
    assert run.text.count("ERROR: ") == 1
    assert "INTERNALERROR" not in run.text


def test_a_folder_without_recordings_is_a_warning_where_only_ci_has_asked_for_replay(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    suite.ini(llm_vcr_store="file:nowhere")
    suite.write(source="def test_one(): pass")
    run = suite.run().passed(1)
    assert run.code == 0
    assert "warning: llm_vcr_store = file:nowhere is no folder: there is nothing to replay" in run.text


def test_a_store_that_needs_what_is_not_installed_says_what_to_install(suite: Suite) -> None:
    suite.ini(llm_vcr_store="redis://localhost:1/0")
    suite.conftest("import sys; sys.modules['redis'] = None")
    suite.write(source=ONE)
    run = suite.run(subprocess=True)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert run.live == 0
    assert "pip install 'llm-vcr-rs[redis]'" in run.text
    assert "Traceback" not in run.text


@pytest.mark.parametrize("rival", ["pytest-vcr", "cassetter", "pytest-llm-vcr"])
def test_a_rival_plugin_is_a_usage_error_that_says_what_to_do(suite: Suite, rival: str) -> None:
    (suite.path / "a_rival.py").write_text("", "utf-8")
    about = suite.path / f"{rival.replace('-', '_')}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {rival}\nVersion: 1.0\n", "utf-8")
    name = "vcr" if rival == "pytest-vcr" else "a_rival"
    (about / "entry_points.txt").write_text(f"[pytest11]\n{name} = a_rival\n", "utf-8")
    suite.write(source=ONE)
    run = suite.run(subprocess=True)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert f"Uninstall {rival}" in run.text
    assert "Traceback" not in run.text
    assert (run.live, suite.cassettes()) == (0, [])
