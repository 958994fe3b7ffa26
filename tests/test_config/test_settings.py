import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.load import SettingsError, example, is_loopback, load, parse
from config.schema import Settings
from config.secrets import read_secret

LEAST = "[hub]\nsite = 'main'\nname = 'room-1'\n"


def test_the_shortest_useful_file_needs_only_a_site_and_a_name():
    settings = parse(LEAST, "hub.toml")
    assert (settings.hub.site, settings.hub.name, settings.broker.host) == (
        "main",
        "room-1",
        "127.0.0.1",
    )


def test_the_example_shows_every_key_and_is_itself_valid():
    text = example()
    parse(text, "example.toml")

    def keys(struct):
        yield from struct.__struct_fields__

    tables = [
        kind for kind in Settings.__annotations__.values() if hasattr(kind, "__struct_fields__")
    ]
    missing = [key for table in tables for key in keys(table) if key not in text]
    assert missing == []


def test_the_example_without_its_comment_signs_is_valid_too():
    lines = []
    for line in example().splitlines():
        bare = line.removeprefix("# ")
        lines.append(bare if bare.startswith("[") or " = " in bare else line)
    settings = parse("\n".join(lines), "example.toml")
    assert settings.broker.tls is not None
    assert settings.instruments["oximeter"].options == {"format": 7}


@pytest.mark.parametrize(
    ("text", "key", "remedy"),
    [
        ("[hub]\nsite = 'main'\nname = 'r'\ncolour = 1", "hub.colour", "remove"),
        ("[hub]\nsite = 'main'", "hub.name", "add"),
        ("colour = 1\n" + LEAST, "colour", "remove"),
        ("[hub]\nsite = 'Main Street'\nname = 'r'", "hub.site", "correct"),
        (LEAST + "[broker]\nport = 70000", "broker.port", "correct"),
        (LEAST + "[broker]\nhost = '192.0.2.1'", "broker.tls", "add"),
        (LEAST + "[broker]\nusername = 'x'", "broker.password_file", "together"),
        (LEAST + "[store]\nlimit_mib = 0", "store.limit_mib", "correct"),
        (LEAST + "[room]\nconfirm = 'never'", "room.confirm", "correct"),
        (LEAST + "[instruments.cuff]\nlink = 'x'", "instruments.cuff.driver", "add"),
        ("[hub]\nsite = main", "line 2", "correct"),
    ],
)
def test_what_is_wrong_is_said_with_file_key_and_remedy_in_one_line(text, key, remedy):
    with pytest.raises(SettingsError) as caught:
        parse(text, "hub.toml")
    message = str(caught.value)
    assert message.startswith("hub.toml: ")
    assert key in message
    assert remedy in message
    assert "\n" not in message


@given(st.text())
def test_any_text_is_settings_or_one_clear_refusal(text):
    try:
        parse(text, "hub.toml")
    except SettingsError as error:
        assert str(error).startswith("hub.toml: ")  # noqa: PT017 - both outcomes are right


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match="nothing"):
        load(tmp_path / "nothing.toml")


def test_a_file_that_is_not_text_is_named(tmp_path):
    path = tmp_path / "hub.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="UTF-8"):
        load(path)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_tls(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "broker.example", "localhost.example"])
def test_any_other_address_does(host):
    assert not is_loopback(host)


def test_a_secret_is_the_one_line_of_a_private_file(tmp_path):
    path = tmp_path / "password"
    path.write_text("correct horse\n")
    path.chmod(0o600)
    assert read_secret(path) == "correct horse"


@pytest.mark.parametrize(("content", "mode"), [("x\n", 0o644), ("", 0o600), ("a\nb\n", 0o600)])
def test_a_secret_that_others_can_read_or_that_is_no_line_is_refused(tmp_path, content, mode):
    path = tmp_path / "password"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(SettingsError, match="password"):
        read_secret(path)


def test_a_missing_secret_is_named(tmp_path):
    with pytest.raises(SettingsError, match="password"):
        read_secret(tmp_path / "password")
