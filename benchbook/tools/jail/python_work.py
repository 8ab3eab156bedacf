"""Running a model's Python in a process that is locked in: as a script, with the value of a last expression shown.

An audit hook is the last layer, over those of the kernel: it says in plain words what is not to be had. It is no
wall (code that is set on it gets around any such hook); the kernel's layers hold without it.
"""

from __future__ import annotations

import ast
import linecache
import os
import site
import sys
import sysconfig
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

NAME = "code.py"

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/usr/share/zoneinfo")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_NO_NETWORK = "the sandbox has no network"
_NO_PROCESSES = "the sandbox starts no other process"
_NO_LINKS = "the sandbox makes no links"
_REFUSED: Mapping[str, str] = {
    **dict.fromkeys(
        ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"), _NO_NETWORK
    ),
    **dict.fromkeys(("socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"), _NO_NETWORK),
    **dict.fromkeys(("os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.system", "pty.spawn"), _NO_PROCESSES),
    "subprocess.Popen": _NO_PROCESSES,
    **dict.fromkeys(("os.symlink", "os.link"), _NO_LINKS),
}
_AF_UNIX = 1
_MOST_FRAMES = 12


def prepare(_preparation: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], int]:
    """Nothing to load: the work itself. Streams write each line at once, so that a killed job's are not lost."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    return work


def readable(payload: Mapping[str, Any]) -> list[str]:
    """The interpreter, its standard library, shared libraries, and (`packages`) what is installed beside it."""
    paths = sysconfig.get_paths()
    own = [paths["stdlib"], paths["platstdlib"], os.path.join(sys.base_prefix, "lib")]
    return [*own, *_LIBRARIES, *_DEVICES, *(_packages() if payload["packages"] else ())]


def work(payload: Mapping[str, Any]) -> int:
    """Run `payload["code"]`; 0, or 1 after a traceback that shows only the code's own frames, or its exit status."""
    code: str = payload["code"]
    _forget_ours(_packages() if payload["packages"] else [])
    linecache.cache[NAME] = (len(code), None, code.splitlines(keepends=True), NAME)
    sys.addaudithook(_refuse)
    try:
        _run(code)
    except SystemExit as end:
        return _status(end)
    except BaseException as error:  # noqa: BLE001 - what the code raises is shown, whatever it is
        _show(error)
        return 1
    return 0


def _run(code: str) -> None:
    tree = ast.parse(code, NAME)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    exec(compile(tree, NAME, "exec"), names)  # noqa: S102 - what this process is for
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), NAME, "eval"), names)  # noqa: S307 - as above
        if value is not None:
            sys.stdout.write(f"{value!r}\n")


def _show(error: BaseException) -> None:
    """The traceback as Python prints it, from the code's own first frame on."""
    sys.stdout.flush()
    told = traceback.TracebackException.from_exception(error, limit=-_MOST_FRAMES)
    links: list[traceback.TracebackException | None] = [told]
    while links:
        if link := links.pop():
            link.stack = traceback.StackSummary.from_list(_of_the_code(link.stack))
            links += [link.__cause__, link.__context__]
    sys.stderr.write("".join(told.format()))


def _of_the_code(stack: list[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    first = next((place for place, at in enumerate(stack) if at.filename == NAME), len(stack))
    return [at for at in stack[first:] if at.filename != __file__]


def _status(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    sys.stderr.write(f"{end.code}\n")
    return 1


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _REFUSED:
        _deny(_REFUSED[event])
    if event == "socket.__new__" and arguments[1] != _AF_UNIX:
        _deny(_NO_NETWORK)


def _deny(reason: str) -> NoReturn:
    raise PermissionError(reason)


def _forget_ours(packages: list[str]) -> None:
    """The code finds the standard library, these packages and the scratch folder, and nothing of ours."""
    own = sysconfig.get_paths()
    library = [own["stdlib"], own["platstdlib"], *(path for path in sys.path if path.endswith("lib-dynload"))]
    sys.path[:] = [*dict.fromkeys([os.getcwd(), *library, *packages])]
    sys.path_importer_cache.clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "benchbook"]:
        del sys.modules[name]
    sys.argv[:] = [NAME]


def _packages() -> list[str]:
    own = sysconfig.get_paths()
    return list(dict.fromkeys([own["purelib"], own["platlib"], *site.getsitepackages()]))
