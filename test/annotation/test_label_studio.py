# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
A round through a real Label Studio: import, look, annotate, export, take the labels in.

It is found by the environment variable LABEL_STUDIO (the executable) or in PATH.
"""
from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser

import pytest
from bag_factory import camera
from bag_factory import write_bag
from other_python import inherited

from active_collection.annotation.items import read_items
from active_collection.bags.find import find_bags
from active_collection.cli import round as command
from active_collection.selection import labels
from active_collection.selection.index import IndexSettings
from active_collection.selection.index import index
from active_collection.selection.index_bag import Sampling

PROGRAM = os.environ.get('LABEL_STUDIO') or shutil.which('label-studio')
TOKEN = '0123456789abcdef0123456789abcdef01234567'
PERSON = 'ann@example.org'
#: It makes its database at its first start (s).
STARTING = 300

pytestmark = pytest.mark.skipif(
    not PROGRAM, reason='no Label Studio: set LABEL_STUDIO or put label-studio into PATH '
    '(pip install label-studio, in an environment of its own)')


def turn(step, data, *arguments):
    parser = ArgumentParser()
    command.add_arguments(parser)
    assert command.run(parser.parse_args([step, '--data', str(data), *map(str, arguments)])) == 0


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """A data directory with one round of five frames, exported for Label Studio."""
    root = tmp_path_factory.mktemp('data')
    for i in range(2):
        write_bag(root / 'bags' / f'b{i}', camera(8, first=20 * i))
    index(find_bags([root / 'bags']), root / 'pool',
          IndexSettings('descriptor', sampling=Sampling(rate_hz=0)))
    turn('start', root, '--count', 5, '--gap', 0, '--duplicate-bits', -1)
    turn('export', root, '--format', 'label_studio', '--class', 'mug', '--class', 'a <b> & "c"')
    return root


class Server:
    """A running Label Studio, spoken to as its own clients do."""

    def __init__(self, address):
        self.address = address

    def get(self, path):
        return self._send('GET', path)

    def post(self, path, /, **values):
        return json.loads(self._send('POST', path, json.dumps(values).encode()))

    def import_tasks(self, project, tasks):
        return json.loads(self._send('POST', f'/api/projects/{project}/import',
                                     json.dumps(tasks).encode()))

    def _send(self, method, path, body=None):
        request = urllib.request.Request(self.address + path, body, method=method, headers={
            'Authorization': f'Token {TOKEN}', 'Content-Type': 'application/json'})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f'{method} {path}: {error.code} {error.read()[:600]}') from error


@pytest.fixture(scope='module')
def server(data, tmp_path_factory):
    home = tmp_path_factory.mktemp('label_studio')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    settings = {
        'HOME': str(home), 'COLLECT_ANALYTICS': 'false', 'LATEST_VERSION_CHECK': 'false',
        'LABEL_STUDIO_BASE_DATA_DIR': str(home), 'SECRET_KEY': 'of a test',
        'LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN': 'true',
        'LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED': 'true',
        'LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT': str(data / 'rounds' / '1' / 'export')}
    with (home / 'log').open('wb') as log:
        process = subprocess.Popen(
            [PROGRAM, 'start', '--no-browser', '--internal-host', '127.0.0.1', '--port', str(port),
             '--data-dir', str(home), '--username', PERSON, '--password', 'of a test',
             '--user-token', TOKEN],
            env={**inherited(), **settings}, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            running = Server(f'http://127.0.0.1:{port}')
            wait_for(running, process, home / 'log')
            yield running
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(server, process, log):
    deadline = time.monotonic() + STARTING
    while True:
        try:
            server.get('/api/projects')
        except (OSError, AssertionError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f'{error}; {log.read_text()[-3000:]}') from error
            time.sleep(0.2)
        else:
            return


@pytest.fixture(scope='module')
def project(server, data):
    """A project set up by the README: our interface, our pictures' directory, our tasks."""
    export = data / 'rounds' / '1' / 'export'
    made = server.post('/api/projects', title='round 1',
                       label_config=(export / 'label_studio.xml').read_text())
    server.post('/api/storages/localfiles', project=made['id'], title='pictures',
                path=str(export / 'images'), use_blob_urls=True)
    said = server.import_tasks(made['id'], json.loads((export / 'label_studio.json').read_text()))
    assert (said['task_count'], said['prediction_count']) == (5, 5)
    return made['id']


def tasks_of(server, project):
    return json.loads(server.get(f'/api/tasks?project={project}&fields=all'))['tasks']


def test_a_task_shows_its_picture_its_score_and_where_it_is_from(server, project, data):
    items, _ = read_items(data / 'rounds' / '1' / 'export')
    tasks = tasks_of(server, project)
    by_unit = {task['data']['unit_id']: task for task in tasks}
    assert set(by_unit) == {item.unit_id for item in items}
    for item in items:
        task = by_unit[item.unit_id]
        assert (task['data']['bag'], task['data']['topic'], task['data']['receive_ns']) == (
            item.bag, item.topic, item.receive_ns)
        prediction, = task['predictions']
        assert prediction['score'] == pytest.approx(item.score)
        picture = server.get(task['data']['image'])
        assert picture == (data / 'rounds' / '1' / 'export' / item.file).read_bytes()


def test_what_is_annotated_in_label_studio_comes_back(server, project, data, capsys):
    tasks = tasks_of(server, project)
    box = {'from_name': 'boxes', 'to_name': 'image', 'type': 'rectanglelabels',
           'original_width': 32, 'original_height': 24, 'image_rotation': 0,
           'value': {'x': 25.0, 'y': 50.0, 'width': 50.0, 'height': 25.0, 'rotation': 0,
                     'rectanglelabels': ['a <b> & "c"']}}
    choice = {'from_name': 'classes', 'to_name': 'image', 'type': 'choices',
              'value': {'choices': ['mug']}}
    for number, task in enumerate(tasks):
        server.post(f'/api/tasks/{task["id"]}/annotations/', result=[box] if number else [choice],
                    was_cancelled=number == 4)
    exported = data / 'exported.json'
    exported.write_bytes(server.get(
        f'/api/projects/{project}/export?exportType=JSON&download_all_tasks=true'))

    turn('ingest', data, '--format', 'label_studio', exported)

    assert '4 annotations of 4 of 5 pictures' in capsys.readouterr().out
    rows = {row['unit_id']: row for row in labels.newest(data / 'rounds' / '1')}
    assert set(rows) == {task['data']['unit_id'] for task in tasks[:4]}
    first, second = (rows[task['data']['unit_id']] for task in tasks[:2])
    assert first['label'] == 'mug'
    assert second['label'] == 'a <b> & "c"'
    assert (second['box_x'], second['box_y'], second['box_width'], second['box_height']) == (
        pytest.approx((8.0, 12.0, 16.0, 6.0)))
    person = json.loads(server.get('/api/current-user/whoami'))
    assert person['email'] == PERSON
    assert {row['annotator'] for row in rows.values()} == {str(person['id'])}
