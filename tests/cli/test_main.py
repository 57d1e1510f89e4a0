"""Commands are imported when they are used, and all are listed."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from sipguard.cli import certs, policy
from sipguard.cli import main as top
from sipguard.cli.lazy import LazyGroup
from sipguard.cli.main import main

DEAR = ("aiohttp", "asyncio", "pydantic", "rich", "ruamel", "sipguard.service", "sipguard.settings")
GROUPS: tuple[tuple[click.Group, dict[str, str]], ...] = (
    (main, top.PLACES),
    (certs.certs, certs.PLACES),
    (policy.policy, policy.PLACES),
)


@pytest.mark.parametrize(("group", "places"), GROUPS, ids=["main", "certs", "policy"])
def test_every_place_holds_the_command_of_its_name(group: click.Group, places: dict[str, str]) -> None:
    context = click.Context(group)
    assert isinstance(group, LazyGroup)
    assert group.list_commands(context) == list(places) == sorted(places)
    for name in places:
        found = group.get_command(context, name)
        assert found is not None
        assert found.name == name
    assert group.get_command(context, "absent") is None


@pytest.mark.parametrize(("group", "places"), GROUPS, ids=["main", "certs", "policy"])
def test_help_lists_every_command_with_what_it_does(group: click.Group, places: dict[str, str]) -> None:
    lines = CliRunner().invoke(group, ["--help"]).stdout.splitlines()
    listed = [line.split(None, 1) for line in lines[lines.index("Commands:") + 1 :] if line.startswith("  ")]
    assert {words[0]: bool(words[1]) for words in listed if words[0] in places} == dict.fromkeys(places, True)


def test_an_unknown_command_is_a_mistake_of_the_command_line() -> None:
    done = CliRunner().invoke(main, ["chekc"])
    assert done.exit_code == 2
    assert "No such command 'chekc'" in done.stderr


@pytest.mark.parametrize("arguments", [["--version"], ["certs", "inspect", "--help"], ["certs", "csr", "--help"]])
def test_what_needs_no_configuration_imports_none(arguments: list[str]) -> None:
    script = (
        "import sys; from sipguard.cli.main import main; main(sys.argv[1:], standalone_mode=False);"
        f"print('imported', *sorted(set({DEAR!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported"


def _commands(group: click.Group) -> list[click.Command]:
    found: list[click.Command] = []
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        found += _commands(command) if isinstance(command, click.Group) else [command]
    return found


def test_every_option_says_what_it_is_and_what_is_written_behind_it() -> None:
    options = [
        (command.name, each) for command in _commands(main) for each in command.params if isinstance(each, click.Option)
    ]
    assert len(options) > 100
    for command, option in options:
        assert option.help, (command, option.name)
        says = option.metavar or not isinstance(option.type, click.types.StringParamType)
        assert option.is_flag or says, f"{command} --{option.name} TEXT"


def test_help_cuts_no_command_short() -> None:
    for group in (["--help"], ["lists", "--help"], ["certs", "--help"], ["policy", "--help"], ["identity", "--help"]):
        lines = CliRunner().invoke(main, group).stdout.partition("Commands:")[2].splitlines()
        assert not [line for line in lines if line.endswith("...")]


def test_the_nearest_command_is_named() -> None:
    done = CliRunner().invoke(main, ["lists", "imprt"])
    assert done.exit_code == 2 and "No such command 'imprt'; did you mean import?" in done.stderr
