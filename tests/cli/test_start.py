"""Help comes at once: nothing heavy is imported for it, and the table of commands is true."""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys

import pytest

from carl_core.cli.main import COMMANDS, main

HEAVY = ("numpy", "numba", "av", "onnx", "onnxruntime", "scipy", "PIL", "PySide6", "torch")


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom carl_core.cli.main import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        f"heavy = [m for m in {HEAVY!r} if m in sys.modules]\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_table_says_what_the_modules_add() -> None:
    for module in {module for module, _ in COMMANDS.values()}:
        parser = argparse.ArgumentParser()
        commands = parser.add_subparsers()
        importlib.import_module(f"carl_core.cli.{module}").add_commands(commands)
        helps = {action.dest: action.help for action in commands._choices_actions}
        wanted = {name: text for name, (own, text) in COMMANDS.items() if own == module}
        assert helps == wanted


def test_each_command_has_help_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        with pytest.raises(SystemExit) as exit_info:
            main([name, "--help"])
        assert exit_info.value.code == 0
        assert name in capsys.readouterr().out
