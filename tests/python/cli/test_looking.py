"""list, show, stats: what is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.python.cli.place import HELLO, IMAGE, STREAM, Place, episode, everywhere


@everywhere
def test_list_names_every_cassette_with_its_facts(place: Place) -> None:
    told = place.json("list")
    rows = {row["cassette"]: row for row in told["cassettes"]}
    assert list(rows) == [HELLO, STREAM, IMAGE]
    assert rows[HELLO]["episodes"] == 3
    assert rows[HELLO]["models"] == ["gpt-4o"]
    # 1,000 tokens in and 100 out at $2.50 and $10 a million, three times.
    assert rows[HELLO]["cost_usd"] == pytest.approx(3 * 0.0035)
    assert rows[STREAM]["cost_usd"] == pytest.approx(0.0035)
    assert rows[IMAGE]["models"] == ["gpt-image-1"]
    assert rows[IMAGE]["cost_is_partial"]
    assert rows[HELLO]["fresh"]
    assert rows[HELLO]["bytes"] > 500


@everywhere
def test_list_on_a_terminal_has_a_line_for_each(place: Place) -> None:
    result = place.run("list")
    assert result.exit_code == 0
    assert "test_hello.yaml" in result.output
    assert "gpt-image-1" in result.output
    assert "3 cassettes, 5 episodes" in result.output


@everywhere
@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [("test_chat", [HELLO, STREAM]), ("*stream*", [STREAM]), ("tests/cassettes/test_images", [IMAGE]), ("test_e*.yaml", [IMAGE])],
)
def test_a_pattern_is_a_part_or_a_glob(place: Place, pattern: str, chosen: list[str]) -> None:
    assert [row["cassette"] for row in place.json("list", pattern)["cassettes"]] == chosen


def test_a_cassette_past_its_time_is_stale(empty: Place) -> None:
    empty.put(HELLO, episode(), recorded_at=datetime.now(UTC) - timedelta(days=3), ttl=86400)
    (row,) = empty.json("list")["cassettes"]
    assert not row["fresh"]
    assert "stale" in empty.run("list").output
    assert "3 d" in empty.run("list").output


def test_files_of_other_people_are_no_cassettes(place: Place) -> None:
    (place.root / "docker-compose.yml").write_text("services: {}\n")
    (place.root / "package.json").write_text("{}")
    (place.root / ".github").mkdir()
    (place.root / ".github" / "ci.yml").write_text("interactions: []\n")
    environment = place.root / "env" / "lib"
    environment.mkdir(parents=True)
    (place.root / "env" / "pyvenv.cfg").write_text("")
    (environment / "a.yaml").write_text("interactions: []\n")
    (place.root / "elsewhere.yaml").write_text("interactions: []\nversion: 1\n")
    assert [row["cassette"] for row in place.json("list")["cassettes"]] == ["elsewhere.yaml", HELLO, STREAM, IMAGE]


@everywhere
def test_an_empty_store_says_so(empty: Place) -> None:
    result = empty.run("list")
    assert result.exit_code == 0
    assert "no cassettes in" in result.output
    assert empty.json("list") == {"cassettes": [], "unreadable": []}


def test_an_unreadable_file_is_named_and_the_rest_is_listed(place: Place) -> None:
    (place.root / HELLO).write_text("version: 1\ninteractions:\n- request: {method: POST\n")
    result = place.run("list")
    assert result.exit_code == 2
    assert f"{HELLO}, line 4: " in result.stderr
    assert "test_stream.yaml" in result.stdout
    told = place.json("list", status=2)
    assert [one["path"] for one in told["unreadable"]] == [HELLO]
    assert told["unreadable"][0]["line"] >= 3
    assert len(told["cassettes"]) == 2


@everywhere
def test_show_lists_the_episodes_of_a_cassette(place: Place) -> None:
    told = place.json("show", HELLO)
    assert [one["number"] for one in told["episodes"]] == [1, 2, 3]
    prints = [one["fingerprint"] for one in told["episodes"]]
    assert prints[2] == prints[0] + ":1", "equal requests are told apart by their order"
    assert told["episodes"][1]["request"]["body"]["messages"][0]["content"] == "how are you?"
    output = place.run("show", HELLO).output
    assert output.count("/v1/chat/completions") == 3


@everywhere
def test_show_one_episode_by_number_and_by_fingerprint(place: Place) -> None:
    second = place.json("show", HELLO, "2")["episodes"][0]
    assert second["response"]["body"]["choices"][0]["message"]["content"] == "fine"
    assert place.json("show", HELLO, second["fingerprint"][:6])["episodes"] == [second]
    output = place.run("show", HELLO, "2").output
    assert '"content": "how are you?"' in output
    assert '"content": "fine"' in output


@everywhere
def test_show_a_stream_as_events(place: Place) -> None:
    output = place.run("show", STREAM).output
    assert "3 events" in output
    assert 'data {"id": "1"' in output
    assert "data [DONE]" in output


@everywhere
def test_show_media_by_type_and_size(place: Place) -> None:
    output = place.run("show", IMAGE).output
    assert "form with 2 parts" in output
    assert "image (a.png): <image/png, 2.1 kB>" in output
    assert "model: gpt-image-1" in output
    assert "\n  <image/png, 2.1 kB>" in output


@everywhere
def test_show_never_prints_what_is_secret_in_a_header(empty: Place) -> None:
    key = "sk-proj-" + "aB3dE5gH7jK9" * 8
    one = episode("hi", headers={"x-forwarded-by": [f"proxy {key}"], "x-plain": ["told"]})
    one.response["headers"].update(
        {"set-cookie": ["session=aB3dE5gH7jK9aB3dE5"], "x-echo": [key], "location": [f"https://h/?api_key={key}"]}
    )
    empty.put(HELLO, one)
    for output in (empty.run("show", HELLO, "1", "--headers").output, empty.run("show", HELLO, "--json").output):
        assert "aB3dE5gH7jK9" not in output
        assert output.count("[redacted]") >= 3
        assert "told" in output


@everywhere
def test_a_cassette_of_a_shared_store_has_an_age_and_a_freshness(empty: Place) -> None:
    empty.put(HELLO, episode("hi"), ttl=3600)
    empty.put(STREAM, episode("hi"))
    rows = {row["cassette"]: row for row in empty.json("list")["cassettes"]}
    assert all(datetime.now(UTC) - datetime.fromisoformat(row["recorded_at"]) < timedelta(minutes=5) for row in rows.values())
    until = datetime.fromisoformat(rows[HELLO]["fresh_until"]) - datetime.now(UTC)
    assert timedelta(minutes=50) < until < timedelta(minutes=70)
    assert rows[STREAM]["fresh_until"] is None
    output = empty.run("list").output
    assert "fresh " in output
    assert "always" in output


@everywhere
def test_show_never_prints_a_key(empty: Place) -> None:
    key = "sk-proj-" + "aB3dE5gH7jK9" * 8
    empty.put(
        HELLO, episode(f"my key is {key}", headers={"authorization": [f"Bearer {key}"]}, uri=f"https://api.openai.com/v1/x?api_key={key}")
    )
    for arguments in (["show", HELLO], ["show", HELLO, "--headers", "--full"], ["show", HELLO, "--json"]):
        output = empty.run(*arguments).output
        assert "aB3dE5gH7jK9" not in output
        assert "api.openai.com" in output


@pytest.mark.parametrize(
    "name", [HELLO, "test_hello.yaml", "test_hello", "test_chat/test_hello", f"./{HELLO}", "tests/test_chat.py::test_hello"]
)
def test_a_cassette_has_many_names(place: Place, name: str) -> None:
    assert place.json("show", name)["cassette"] == HELLO


@everywhere
def test_a_cassette_that_is_not_there_has_a_nearest(place: Place) -> None:
    result = place.run("show", "test_helo.yaml")
    assert result.exit_code == 2
    assert "there is no cassette 'test_helo.yaml'" in result.output
    assert f"The nearest: {HELLO}" in result.output


@everywhere
def test_an_ambiguous_end_is_said(place: Place) -> None:
    place.put("more/cassettes/test_chat/test_hello.yaml", episode())
    result = place.run("show", "test_hello")
    assert result.exit_code == 2
    assert "the end of 2 cassettes" in result.output


@everywhere
@pytest.mark.parametrize(("episode_", "says"), [("9", "the cassette has 3 episodes"), ("zzzzzz", "no episode has a fingerprint")])
def test_an_episode_that_is_not_there(place: Place, episode_: str, says: str) -> None:
    result = place.run("show", HELLO, episode_)
    assert result.exit_code == 2
    assert says in result.output


@everywhere
def test_stats_sum_up(place: Place) -> None:
    told = place.json("stats")
    assert (told["cassettes"], told["episodes"], told["stale"]) == (3, 5, 0)
    assert told["cost_usd"] == pytest.approx(4 * 0.0035)
    assert told["cost_is_partial"]
    models = {one["model"]: one for one in told["models"]}
    assert models["gpt-4o"]["episodes"] == 4
    assert models["gpt-image-1"]["cost_usd"] is None
    output = place.run("stats").output
    assert "3 cassettes, 5 episodes" in output
    assert "≥ $0.0140 to record all of it again" in output


@everywhere
def test_a_misspelt_command_has_a_nearest(place: Place) -> None:
    result = place.run("lsit")
    assert result.exit_code == 2
    assert "did you mean 'list'?" in result.output


@everywhere
def test_a_store_that_cannot_be_is_a_usage_error(empty: Place) -> None:
    from click.testing import CliRunner
    from llm_vcr.cli import main

    result = CliRunner().invoke(main, ["list", "--store", "rediss"])
    assert result.exit_code == 2
    assert "expected" in result.output


def test_as_a_process(place: Place) -> None:
    done = place.process("list")
    assert done.returncode == 0
    assert "test_hello.yaml" in done.stdout
    assert "\x1b" not in done.stdout, "no colours in a pipe"
    done = place.process("show", "nothing")
    assert done.returncode == 2
    assert "there is no cassette" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_settings_file_says_where_the_store_is(place: Place) -> None:
    (place.root / "pyproject.toml").write_text('[tool.pytest.ini_options]\nllm_vcr_store = "file:tests/cassettes/test_images"\n')
    below = place.root / "src"
    below.mkdir()
    done = place.process("list", "--json")
    assert '"cassette": "test_edit.yaml"' in done.stdout
    assert "test_hello" not in done.stdout
