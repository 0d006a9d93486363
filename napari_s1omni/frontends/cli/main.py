"""Entry point of ``s1omni``: runs a command and turns every error into one sentence and an exit code."""

from __future__ import annotations

import errno
import gc
import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version

import typer
from typer.main import get_command

from napari_s1omni.errors import DiskFull, S1OmniError
from napari_s1omni.frontends.cli.command_table import COMMANDS
from napari_s1omni.frontends.cli.lazy_group import lazy_group
from napari_s1omni.settings import let_threads_sleep
from napari_s1omni.system.streams import open_standard_streams, restart_in_utf8

EXIT_CODES = {
    0: "finished",
    1: "unexpected error (please report it)",
    2: "invalid option or job file",
    3: "finished, but something is missing: tiles that failed twice, images of a batch, or exports",
    65: "the job does not fit the image, or the memory is too small",
    66: "the source or the result is missing, or cannot be read",
    69: "the engine or the endpoint cannot do this, is not there, or is not installed",
    73: "the output cannot be written, is in use, or holds something else",
    74: "the output is damaged",
    75: "the disk is full, the cluster is lost, or an endpoint is busy or slow; fix it and resume",
    76: "the reply of an endpoint is damaged, cut or endless; ask again",
    77: "an endpoint refuses the key or the request, or nobody agreed that pictures leave this machine",
    130: "stopped by Ctrl-C; can be resumed",
    141: "the program that reads the output has ended, as in a pipe into head",
}
"""Exit code -> meaning."""

HELP = "Segment, super-resolve and translate images of any size with a model that reasons about each tile."
DEBUG = "--debug"

# The base class of usage errors has no public name that all versions of typer share.
UsageError: type[Exception] = typer.BadParameter.__base__ or typer.BadParameter

app = typer.Typer(
    cls=lazy_group(COMMANDS),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help=HELP,
    epilog="[bold]Exit codes:[/bold] "
    + "; ".join(f"[bold]{code}[/bold] {words}" for code, words in EXIT_CODES.items()),
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(print_it: bool) -> None:
    if print_it:
        typer.echo(f"s1omni {version('napari_s1omni')}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    debug: bool = typer.Option(False, DEBUG, help="Show the traceback of an error; allowed anywhere on the line."),
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``s1omni`` and end the process with its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after the name of the program; by default those of the process.
    """
    # Imports create many objects and no garbage: collecting at every 700th would take a fifth of the start-up time.
    gc.set_threshold(50_000, 20, 50)
    if arguments is None:
        restart_in_utf8()
    open_standard_streams()
    # Before any numerical library is loaded.
    let_threads_sleep()
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = DEBUG in words
    sys.exit(_status([word for word in words if word != DEBUG], debug))


def _status(words: list[str], debug: bool) -> int:
    try:
        code = get_command(app).main(words, prog_name="s1omni", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except S1OmniError as error:
        return _report(error, str(error), error.exit_code, debug)
    except UsageError as error:
        return _report(error, _usage(error), 2, debug)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        return _unread()
    except SystemExit as end:
        # Rich and click turn a broken pipe into exit code 1.
        if isinstance(end.__context__, BrokenPipeError):
            return _unread()
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            sentence = "no space is left for what this command prints or writes. Free some space, or send it elsewhere."
            return _report(error, sentence, DiskFull.exit_code, debug)
        described = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return _report(error, f"{described} ('s1omni ... {DEBUG}' shows the traceback)", 1, debug)


def _unread() -> int:
    """Return the exit code for an output whose reader has gone; the rest of it goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        # Without this the interpreter fails again when it flushes.
        os.dup2(nowhere, descriptor)
    return 141


def _report(error: Exception, sentence: str, code: int, debug: bool) -> int:
    if debug:
        raise error
    if sentence:
        typer.echo(f"s1omni: {sentence}", err=True)
    return code


def _usage(error: Exception) -> str:
    """Return the message of a usage error; empty if help was shown instead."""
    # Help must not wait for pydantic.
    from napari_s1omni.core.document import did_you_mean

    message = str(getattr(error, "format_message", lambda: error)()).rstrip(".?")
    if near := did_you_mean(str(getattr(error, "option_name", "")), list(getattr(error, "possibilities", None) or ())):
        message = f"There is no option {getattr(error, 'option_name', '')}.{near.rstrip('?')}"
    # Typer lets pydantic say what a value must be.
    message = re.sub(r"Input should be (.*?)(, unable to parse.*)?$", r"it must be \1", message)
    if "unexpected extra argument" in message:
        message += ". A pattern such as 'images/*.tif' is put in quotes, else the shell replaces it"
    context = getattr(error, "ctx", None)
    # Typer asks "Did you mean ...?" at the end of some messages.
    end = "?" if "Did you mean" in message else "."
    return f"{message}{end} Try '{context.command_path} --help'." if context and message else message


if __name__ == "__main__":
    main()
