# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""setup.cfg is the one truth about requirements: what imports, and what repeats it, agrees."""
import ast
import re
import subprocess
import sys
from importlib.util import module_from_spec
from importlib.util import spec_from_file_location
from pathlib import Path
from xml.etree import ElementTree

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from active_collection.cli import main as command_line
from active_collection.errors import ConfigError
from active_collection.packages import BASE
from active_collection.packages import GROUPS
from active_collection.packages import how_to_install
from active_collection.packages import missing

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'active_collection'
#: What the parts of the package may import beside what everybody needs.
PARTS = {
    'mcap': set(),
    'bags': {'images', 'video', 'uncertainty'},
    'recording': {'sftp'},
    'collecting': set(),
    'uncertainty': {'uncertainty'},
    'scheduling': {'scheduling', 'postgresql', 'annotation'},
    'selection': {'selection', 'images', 'onnx', 'timm', 'transformers', 'ray'},
    'annotation': {'annotation', 'images', 'video'},
    'report': {'report', 'images'},
    'simulation': {'simulation'},
    'pipeline': {'annotation', 'report', 'selection', 'uncertainty'},
    'cli': {'annotation', 'report', 'selection', 'uncertainty'},
    'nodes': {'uncertainty'},
}
#: Declared and never imported by name: who needs it.
INDIRECT = {
    'packaging': 'metaworld, which forgets it',
    's3fs': 'fsspec, for s3://'}
#: The modules that a ROS package brings, where its name is another.
ROS_PACKAGES = {'launch', 'launch_ros', 'rosidl_runtime_py'}
#: What package.xml names for others than Python's imports.
NOT_IMPORTED = {
    'rosidl_default_runtime': 'the generated interfaces', 'std_msgs': 'our interfaces',
    'builtin_interfaces': 'our interfaces', 'diagnostic_msgs': 'our interfaces'}
ROSDEP_KEYS = {
    'python3-numpy': 'numpy', 'python3-yaml': 'pyyaml', 'python3-scipy': 'scipy',
    'python3-opencv': 'opencv-python-headless'}


def script():
    specification = spec_from_file_location(
        'requirements', ROOT / 'environment' / 'requirements.py')
    module = module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


EVERYBODY, EXTRAS = script().declared()
MADE_OF_OTHERS = {name for name, lines in EXTRAS.items()
                  if any(line.startswith('active-collection[') for line in lines)}
GROUPS_DECLARED = {'base': EVERYBODY, **{
    name: lines for name, lines in EXTRAS.items() if name not in MADE_OF_OTHERS}}
REQUIREMENTS = {
    canonicalize_name(Requirement(line).name): Requirement(line)
    for lines in GROUPS_DECLARED.values() for line in lines}


def imports(path):
    """Yield every module that a file imports."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ([f'backports.{alias.name}' for alias in node.names]
                        if node.module == 'backports' else [node.module])
        elif (isinstance(node, ast.Call) and ast.unparse(node.func).endswith('import_module')
                and isinstance(node.args[0], ast.Constant)):
            yield node.args[0].value


def foreign(paths, roots):
    """Return module to files, of what is neither Python's nor ours; top level names alone."""
    found = {}
    for path in paths:
        for name in imports(path):
            top = name if name.startswith('backports.') else name.split('.')[0]
            if top not in {*sys.stdlib_module_names, *roots, 'compression'}:
                found.setdefault(top, set()).add(path)
    return found


IMPORTED = foreign(PACKAGE.rglob('*.py'), {'active_collection'})
KNOWN = {name: {group for group, members in GROUPS.items() if name in members}
         for members in GROUPS.values() for name in members}
MANIFEST = ElementTree.parse(ROOT / 'package.xml').getroot()


def in_manifest(*kinds):
    return {element.text for kind in kinds for element in MANIFEST.findall(kind)}


ROS_DECLARED = {name for name in in_manifest('depend', 'exec_depend')
                if not name.startswith('python3-')}


def without_marker(line):
    return line.split(';')[0].strip()


def test_messages_name_what_setup_cfg_declares():
    declared = {name: sorted(map(without_marker, lines))
                for name, lines in GROUPS_DECLARED.items()}

    assert {name: sorted(members.values()) for name, members in GROUPS.items()} == declared


def test_a_library_has_one_range_in_all_groups():
    for lines in GROUPS_DECLARED.values():
        for line in lines:
            known = REQUIREMENTS[canonicalize_name(Requirement(line).name)]
            assert str(Requirement(line)) == str(known)


@pytest.mark.parametrize('name', sorted(IMPORTED))
def test_what_is_imported_is_declared(name):
    assert name in KNOWN or name in ROS_DECLARED, sorted(map(str, IMPORTED[name]))


@pytest.mark.parametrize('name', sorted(KNOWN))
def test_what_is_declared_is_imported(name):
    assert (name in IMPORTED) != (name in INDIRECT)


@pytest.mark.parametrize(
    'path', sorted(PACKAGE.rglob('*.py')), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_part_imports_only_what_its_groups_bring(path):
    parts = path.relative_to(PACKAGE).parts
    allowed = PARTS[parts[0]] if len(parts) > 1 else set()

    for name in foreign([path], {'active_collection'}):
        if name in KNOWN:
            assert KNOWN[name] & {'base', *allowed}, f'{name} is of {sorted(KNOWN[name])}'


def test_the_groups_of_a_server_exist():
    for line in EXTRAS['server']:
        assert set(re.findall(r'\w+', line.partition('[')[2])) <= set(GROUPS_DECLARED)


@pytest.mark.parametrize('name', sorted(REQUIREMENTS))
def test_pins_are_within_the_ranges(name):
    if name == 'timm':
        pytest.skip('needs torchvision, which the environment does without')
    pins = [Requirement(line.split('#')[0]) for line in
            (ROOT / 'environment' / 'pins.txt').read_text().splitlines()
            if line.split('#')[0].strip()]
    here = [pin for pin in pins if canonicalize_name(pin.name) == name]

    assert here, 'not pinned'
    for pin in here:
        (exact,) = pin.specifier
        assert exact.operator == '=='
        assert REQUIREMENTS[name].specifier.contains(exact.version)
        assert REQUIREMENTS[name].extras <= pin.extras


def test_package_xml_names_what_nodes_import_and_nothing_else():
    ros = {name for name in IMPORTED if name not in KNOWN}
    launched = set(
        foreign((ROOT / 'launch').glob('*.py'), {'active_collection'})) - set(KNOWN)

    assert ros | launched | set(NOT_IMPORTED) == ROS_DECLARED


def test_package_xml_names_what_tests_import():
    ours = {path.stem for folder in ('test', 'docs') for path in (ROOT / folder).rglob('*')}
    imported = foreign((ROOT / 'test' / 'ros').rglob('*.py'), ours | {'active_collection'})
    declared = ROS_DECLARED | in_manifest('test_depend')

    assert {name for name in imported if name not in KNOWN
            and not {name, f'python3-{name}'} & declared} == set()


def test_package_xml_takes_from_the_distribution_what_we_declare():
    keys = {key for key in in_manifest('exec_depend') if key.startswith('python3-')}

    assert keys == set(ROSDEP_KEYS)
    assert set(ROSDEP_KEYS.values()) <= set(REQUIREMENTS)


def test_package_xml_says_who_and_where():
    assert MANIFEST.findtext('url') and MANIFEST.findtext('author')
    assert 'ament_cmake_pytest' in in_manifest('test_depend')


def test_no_message_names_an_index_that_has_not_this_package():
    for path in PACKAGE.rglob('*.py'):
        assert 'active-collection[' not in path.read_text(), path


def test_the_script_lists_the_base_and_the_groups_asked_for():
    written = subprocess.run(
        [sys.executable, ROOT / 'environment' / 'requirements.py', 'video', 'server'],
        capture_output=True, text=True, check=True).stdout.splitlines()

    assert written[:len(EVERYBODY)] == EVERYBODY
    assert set(EXTRAS['video']) < set(written)
    assert {without_marker(line).split('>')[0] for line in written} >= {
        'torch', 'pyarrow', 'jinja2', 'opencv-python-headless', 'mcap'}
    assert len(written) == len(set(written))


def test_the_script_refuses_an_unknown_group():
    result = subprocess.run(
        [sys.executable, ROOT / 'environment' / 'requirements.py', 'robots'],
        capture_output=True, text=True)

    assert result.returncode == 2
    assert "'robots'" in result.stderr and 'server' in result.stderr


def test_a_missing_library_is_told_with_what_else_its_group_lacks(monkeypatch):
    for name in ('jinja2', 'markupsafe'):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError) as caught:
        __import__('jinja2')

    error = missing('report', caught.value)

    assert isinstance(error, ConfigError)
    assert str(error) == ('report: found no Python package jinja2, expected '
                          f"pip install '{GROUPS['report']['jinja2']}' "
                          f"'{GROUPS['report']['markupsafe']}'")


@pytest.mark.parametrize(('name', 'requirement'), [
    ('backports', BASE['backports.zstd']), ('rosbags.typesys', BASE['rosbags'])])
def test_a_parent_and_a_child_of_a_library_lead_to_it(name, requirement):
    error = missing('recorder', ModuleNotFoundError('gone', name=name))

    assert error is not None
    assert requirement in str(error)


@pytest.mark.parametrize('error', [
    ModuleNotFoundError('gone', name='of_a_third_party'), ModuleNotFoundError('gone'),
    ImportError('no such name', name='numpy')])
def test_what_is_not_a_missing_library_of_ours_is_left_to_be_raised(error):
    assert missing('index', error) is None


def test_how_to_install_names_all_where_nothing_is_absent():
    assert how_to_install('images') == f"pip install '{GROUPS['images']['cv2']}'"


@pytest.mark.parametrize(('gone', 'arguments'), [
    ('yaml', ['episodes', 'list']), ('cv2', ['index', '--pool', 'pool']),
    ('jinja2', ['report', '--out', 'page.html', '--pool'])])
def test_a_command_without_its_library_ends_with_one_line(tmp_path, gone, arguments):
    code = (f'import sys; sys.modules[{gone!r}] = None\n'
            'from active_collection.cli.main import main\n'
            f'sys.exit(main({[*arguments, str(tmp_path)]!r}))')

    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT)

    assert (result.returncode, result.stdout) == (2, '')
    assert len(result.stderr.splitlines()) == 1
    assert f'no Python package {gone}' in result.stderr
    assert 'pip install ' in result.stderr


def test_a_missing_module_that_is_no_library_of_ours_is_not_hidden(monkeypatch):
    def broken():
        raise ModuleNotFoundError('gone', name='of_a_third_party')

    monkeypatch.setattr(command_line, 'parser', broken)

    with pytest.raises(ModuleNotFoundError, match='gone'):
        command_line.main(['index'])
