"""What is risky about starting a program that somebody else's file names.

MCP security best practices (2026-07-28), "Local MCP Server Compromise": the exact command is shown
whole, and dangerous patterns are pointed out before anyone agrees to it. These patterns help a
person look; they prove nothing about what they do not match.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Literal

import msgspec

from lockgate.control_plane.services.plain_text import visible
from lockgate.model.reference import looks_secret_value

Level = Literal["danger", "warning"]

_SHELLS = {"sh", "bash", "zsh", "dash", "fish", "ksh", "cmd", "powershell", "pwsh"}
_AS_ROOT = {"sudo", "doas", "su", "pkexec", "runas"}
_RUNNERS = {"npx", "bunx", "pnpx", "uvx", "pipx"}
_EVAL = {"python": "-c", "python3": "-c", "node": "-e", "deno": "eval", "ruby": "-e", "perl": "-e",
         "php": "-r"}  # fmt: skip
_STEERING = re.compile(
    r"(LD_PRELOAD|LD_LIBRARY_PATH|DYLD_.*|NODE_OPTIONS|PYTHONPATH|PYTHONSTARTUP|PERL5OPT|RUBYOPT"
    r"|BASH_ENV|ENV|PATH|GIT_SSH_COMMAND|.*_PROXY|NODE_TLS_REJECT_UNAUTHORIZED|NODE_EXTRA_CA_CERTS"
    r"|npm_config_registry|UV_INDEX_URL|PIP_INDEX_URL)", re.I
)  # fmt: skip
_TEXTS: tuple[tuple[re.Pattern[str], Level, str], ...] = (
    (re.compile(r"\b(curl|wget|iwr|invoke-webrequest)\b.*\|", re.I | re.S), "danger",
     "downloads something and pipes it on"),
    (re.compile(r"\brm\s+-[a-z]*[rf]|\bmkfs|\bdd\s+.*of=/dev|del\s+/[sq]", re.I), "danger",
     "deletes or overwrites files"),
    (re.compile(r"base64\s+(-d|--decode)|frombase64string|-enc(odedcommand)?\b", re.I), "danger",
     "runs something encoded"),
    (re.compile(r"/dev/tcp/|\bnc\s+-|\bncat\b|\bsocat\b"), "danger", "opens a raw connection"),
    (re.compile(r"(~|\$HOME|/home/[^/\s]+|/root|/Users/[^/\s]+)/\.(ssh|aws|gnupg|kube|config/gcloud"
                r"|netrc|docker)|/etc/(shadow|passwd|sudoers)"), "danger",
     "names a place where credentials are kept"),
    (re.compile(r"&&|\|\||[;|`]|\$\(|>\s*/"), "warning", "has shell syntax in an argument"),
    (re.compile(r"(^|[\s=:])(/|~|[A-Za-z]:\\)($|:)"), "warning",
     "is given the whole disk or home directory"),
)  # fmt: skip


class Risk(msgspec.Struct, frozen=True):
    level: Level
    says: str


def shown(argv: Sequence[str]) -> str:
    """The whole command as a shell would take it. What cannot be seen is escaped, not hidden."""
    return shlex.join(visible(part) for part in argv)


def find_risks(argv: Sequence[str], env: Mapping[str, str]) -> tuple[Risk, ...]:
    """Worst first."""
    program = PurePath(argv[0].replace("\\", "/")).name.lower().removesuffix(".exe")
    found = [*_of_program(program, argv), *_of_package(program, argv), *_of_docker(program, argv)]
    whole = " ".join(argv[1:])
    found += [Risk(level, says) for form, level, says in _TEXTS if form.search(whole)]
    if any(looks_secret_value(part) for part in argv) or _secret_option(argv):
        found.append(Risk("danger", "has a secret among its arguments, which every local user can "
                          "read; give it through the environment"))  # fmt: skip
    found += [Risk("warning", f"sets {n}, which changes what is run or whom it talks to")
              for n in env if _STEERING.fullmatch(n)]  # fmt: skip
    if any(visible(part) != part for part in argv):
        found.append(Risk("danger", "has characters that cannot be seen or that reorder text"))
    return tuple(sorted(dict.fromkeys(found), key=lambda r: r.level))


def find_url_risks(url: str) -> tuple[Risk, ...]:
    """Only what the URL itself shows."""
    found = re.match(r"http://(?!localhost[:/]|127\.|\[::1\])", url, re.I)
    plain = Risk("danger", "uses http without TLS: anyone on the way can read and change it")
    return (plain,) if found else ()


def _of_program(program: str, argv: Sequence[str]) -> list[Risk]:
    found = []
    if program in _SHELLS:
        found.append(Risk("danger", "runs a shell, which can run anything"))
    if program in _AS_ROOT:
        found.append(Risk("danger", "runs with another user's rights"))
    if program in _EVAL and _EVAL[program] in argv[1:]:
        found.append(Risk("danger", "runs code given on the command line"))
    if re.match(r"(/tmp|/var/tmp|/dev/shm|.*[/\\](Downloads|Temp)[/\\])", argv[0]):
        found.append(Risk("danger", "is a program in a directory where anyone may leave files"))
    elif argv[0].startswith("."):
        found.append(Risk("warning", "depends on the directory it is started in"))
    return found


def _of_package(program: str, argv: Sequence[str]) -> list[Risk]:
    if program not in _RUNNERS:
        return []
    package = next((a for a in argv[1:] if not a.startswith("-") and a not in ("run", "tool")), "")
    if re.match(r"(git\+|https?:|github:|file:)", package):
        return [Risk("danger", "runs a package from an address, not from the registry")]
    if re.search(r".@v?[0-9][^@]*$|==[0-9]", package):
        return []
    return [Risk("warning", f"fetches {package or 'a package'} without a fixed version: it runs "
                 "whatever was published last")]  # fmt: skip


def _of_docker(program: str, argv: Sequence[str]) -> list[Risk]:
    if program not in ("docker", "podman"):
        return []
    whole = " ".join(argv[1:])
    if re.search(r"--privileged|docker\.sock|--pid[= ]host|--cap-add|(-v|--volume)[= ]/:", whole):
        return [Risk("danger", "starts a container that can take over this machine")]
    if re.search(r"--net(work)?[= ]host", whole):
        return [Risk("warning", "starts a container on this machine's own network")]
    return []


def _secret_option(argv: Sequence[str]) -> bool:
    option = re.compile(r"--?[a-z-]*(token|api-?key|secret|password)(=(.+))?", re.I)
    for here, following in zip(argv, [*argv[1:], ""], strict=True):
        found = option.fullmatch(here)
        if found and (found[3] or (following and not following.startswith("-"))):
            return True
    return False
