# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the commands of a block exist and take the arguments that they are given."""
from __future__ import annotations

import argparse
import configparser
import contextlib
import io
import re
import shlex
from collections.abc import Callable
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from blocks import ROOT
from blocks import Wrong
from blocks import shares
from ros2_commands import ros2

from active_collection.cli.main import parser
from active_collection.errors import ConfigError
from active_collection.simulation import demo_options

#: Programs that are not ours: what they do is theirs to say. Files of ours among their arguments
#: are looked for all the same.
FOREIGN = frozenset((
    '.', 'apt', 'apt-get', 'awk', 'bash', 'cat', 'cd', 'chmod', 'chown', 'chronyc', 'colcon',
    'cp', 'createdb', 'curl', 'cut', 'echo', 'export', 'find', 'foxglove', 'git', 'grep', 'head',
    'install', 'journalctl', 'kill', 'label-studio', 'less', 'ln', 'ls', 'mkdir', 'mv', 'podman',
    'pre-commit', 'printf', 'ps', 'psql', 'pwd', 'ray', 'rm', 'rosdep', 'rsync', 'scp', 'sed',
    'set', 'sha256sum', 'sleep', 'sort', 'source', 'ssh', 'sudoedit', 'sysctl', 'systemctl',
    'tail', 'tar', 'tee', 'test', 'touch', 'unzip', 'vcs', 'virtualenv', 'watch', 'wc',
    'xdg-open',
))
#: Where the workspace of the documentation has this repository.
CHECKOUTS = ('src/active_collection/', '~/ws/src/active_collection/')
_PLACEHOLDER = re.compile(r'<[A-Za-z_ ]+>')
_SHARE = re.compile(r'\$\(ros2 pkg prefix --share (\w+)\)')
_SUBSTITUTION = re.compile(r'\$\(([^()]*)\)')
_COMMENT = re.compile(r'(?m)(^|\s)#.*$')


def commands(text: str) -> Iterator[list[str]]:
    """Yield every simple command of a block as its words, those within $( ) too."""
    text = _COMMENT.sub(r'\1', text.replace('\\\n', ' '))
    text = _SHARE.sub(r'SHARE_\1', _PLACEHOLDER.sub('PLACEHOLDER', text))
    for inner in _SUBSTITUTION.findall(text):
        yield from commands(inner)
    text = _SUBSTITUTION.sub('SUBSTITUTED', text)
    for line in text.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=';|&')
        lexer.whitespace_split = True
        words: list[str] = []
        for token in [*lexer, ';']:
            if set(token) <= set(';|&'):
                if words:
                    yield words
                words = []
            else:
                words.append(token)


def check_all(text: str) -> int:
    """
    Look at every command of a block; return how many there are.

    :raises Wrong: of the first that would not work
    """
    found = list(commands(text))
    for words in found:
        check(words)
    return len(found)


def check(words: list[str]) -> None:
    """
    Look at a command.

    :raises Wrong: where it does not exist or does not take its arguments
    """
    words = [word.strip('()') for word in _without_redirections(words)]
    while words and (words[0] in {'then', 'do', 'else'} or re.fullmatch(r'\w+=.*', words[0])):
        words = words[1:]
    if not words or words[0] in {'for', 'fi', 'done'}:
        return
    _check_files(words)
    name, arguments = words[0], words[1:]
    if name in PREFIXES:
        check(arguments[next((k for k, a in enumerate(arguments) if not a.startswith('-')), 0):])
    elif name in OURS:
        OURS[name](arguments)
    elif name not in FOREIGN:
        raise Wrong(f'{name}: not known; add it to FOREIGN in {Path(__file__).name} if it is '
                    "another project's")


def _without_redirections(words: list[str]) -> list[str]:
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif re.fullmatch(r'\d?(>|>>|<)', word):
            skip = True
        elif not re.match(r'\d?[<>]', word):
            kept.append(word)
    return kept


def _check_files(words: list[str]) -> None:
    """Refuse a path into this repository, or into what it installs, at which nothing is."""
    for word in words:
        for part in re.split(r'[=,:]', word):
            for checkout in CHECKOUTS:
                if part.startswith(checkout) and not (ROOT / part.removeprefix(checkout)).exists():
                    raise Wrong(f'{part}: not in the repository')
            if part.startswith('SHARE_'):
                package, _, inside = part.removeprefix('SHARE_').partition('/')
                if inside and not any((p / inside).exists() for p in shares(package)):
                    raise Wrong(f'{part}: not installed')


def active_collection(arguments: list[str]) -> None:
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
        try:
            parsed = parser().parse_args(arguments)
        except SystemExit as ended:
            if ended.code:
                raise Wrong(told.getvalue().strip().splitlines()[-1]) from ended
            return
    _check_names(parsed)


def _check_names(parsed: argparse.Namespace) -> None:
    """Refuse a strategy, format, extractor or rule that there is not."""
    from active_collection.annotation.formats import FORMATS
    from active_collection.selection.extractors import EXTRACTORS
    from active_collection.selection.strategies import STRATEGIES

    for name, known in (('strategy', STRATEGIES.names()), ('extractor', EXTRACTORS.names()),
                        ('format', [*FORMATS.names(), 'lerobot', 'mcap', 'csv', 'parquet'])):
        value = getattr(parsed, name, None)
        if value and value not in known:
            raise Wrong(f'{name}: found {value!r}, expected one of {", ".join(known)}')


def make(arguments: list[str]) -> None:
    makefile = (ROOT / 'Makefile').read_text()
    settings = dict(a.split('=', 1) for a in arguments if '=' in a)
    targets = [a for a in arguments if '=' not in a]
    for target in targets:
        if not re.search(rf'^{target}:', makefile, re.MULTILINE):
            raise Wrong(f'make {target}: no such target')
    if 'BENCH' in settings and not (ROOT / 'benchmarks' / f'{settings["BENCH"]}.py').is_file():
        raise Wrong(f'make bench BENCH={settings["BENCH"]}: no such benchmark')
    if targets == ['demo'] and 'ARGS' in settings and settings['ARGS'] != '--help':
        try:
            options = demo_options.parse(shlex.split(settings['ARGS']))
            demo_options.scenario_space(ROOT / 'config' / 'metaworld_mt10.yaml', options)
        except ConfigError as error:
            raise Wrong(str(error)) from error
    for name in settings:
        if name not in makefile:
            raise Wrong(f'make {name}=...: no such variable')


def python(arguments: list[str]) -> None:
    if arguments[:1] in (['-m'], ['-c']):
        return
    file = next((a for a in arguments if not a.startswith('-')), '')
    name = file.removeprefix('src/active_collection/').removeprefix('~/ws/src/active_collection/')
    if not (ROOT / name).is_file() and not any(
            path.name == Path(name).name for path in (ROOT / 'docs').rglob('*.py')):
        raise Wrong(f'python {file}: no such file')


def pip(arguments: list[str]) -> None:
    configuration = configparser.ConfigParser()
    configuration.read(ROOT / 'setup.cfg')
    extras = set(configuration['options.extras_require'])
    for argument in arguments:
        found = re.fullmatch(r'(?:\.|[\w./-]*active.collection)\[([\w,]+)\]', argument)
        for extra in found[1].split(',') if found else ():
            if extra not in extras:
                raise Wrong(f'pip install {argument}: no extra {extra}')


def docker(arguments: list[str]) -> None:
    for flag, value in pairwise(arguments):
        if flag == '--file' and not (ROOT / value).is_file():
            raise Wrong(f'docker --file {value}: not in the repository')
    image = next((k for k, a in enumerate(arguments) if a.startswith('active_collection:')), None)
    if arguments[0] == 'run' and image is not None:
        inside = arguments[image + 1:]
        check(['active-collection', *inside] if arguments[image].endswith(':server') else inside)


def systemctl(arguments: list[str]) -> None:
    for argument in arguments:
        name = re.sub(r'@.*', '@', argument)
        if name.startswith('active-collection-') and '*' not in name and not list(
                (ROOT / 'deploy' / 'systemd').glob(f'{name}*')):
            raise Wrong(f'systemctl {argument}: no such unit')


def environment_run(arguments: list[str]) -> None:
    if arguments[0] not in {'pytest', 'CMD', 'ruff', 'mypy'}:
        check(arguments)


#: Programs of this project, and those whose arguments are about it.
OURS: dict[str, Callable[[list[str]], None]] = {
    'active-collection': active_collection, 'docker': docker, 'environment/run': environment_run,
    'make': make, 'pip': pip, 'python': python, 'python3': python, 'ros2': ros2,
    'systemctl': systemctl}
PREFIXES = frozenset({'sudo', 'time', 'nohup', 'exec', 'env', 'nice', 'if', 'until', 'while', '!'})


