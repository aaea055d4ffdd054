# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Each thing that may be wrong with a computer, planted in its files and variables."""
import os
from dataclasses import replace

import pytest
from spoiling import in_shell
from spoiling import the_wrong

from active_collection.pipeline.doctor.finding import Verdict
from active_collection.pipeline.doctor.kernel_clock import KernelClock
from active_collection.pipeline.doctor.kernel_clock import read_kernel_clock
from active_collection.pipeline.doctor.machine import installation
from active_collection.pipeline.doctor.machine import packages
from active_collection.pipeline.doctor.machine.buffers import SocketBuffers
from active_collection.pipeline.doctor.machine.clock import Clock
from active_collection.pipeline.doctor.machine.discovery_range import DiscoveryRange
from active_collection.pipeline.doctor.machine.domain import Domain
from active_collection.pipeline.doctor.machine.installation import Installation
from active_collection.pipeline.doctor.machine.middleware import Middleware
from active_collection.pipeline.doctor.machine.network import Network
from active_collection.pipeline.doctor.machine.packages import Packages
from active_collection.pipeline.doctor.machine.packages import is_met
from active_collection.pipeline.doctor.machine.processes import Processes
from active_collection.pipeline.doctor.machine.profile import Profile
from active_collection.pipeline.doctor.machine.shared_memory import SharedMemory

CHECKS = [Clock, Domain, DiscoveryRange, Middleware, Profile, SocketBuffers, SharedMemory]
OF_ROS = [Domain, DiscoveryRange, Middleware, Profile, SharedMemory, Network, Installation]


@pytest.mark.parametrize('check', CHECKS)
def test_nothing_is_wrong_with_a_computer_that_is_well(machine, check):
    assert [f.verdict for f in check().look(machine)] == [Verdict.OK]


@pytest.mark.parametrize('check', OF_ROS)
def test_without_ros_nothing_of_ros_is_looked_at(machine, check):
    bare = in_shell(machine, ROS_DISTRO=None, AMENT_PREFIX_PATH=None)
    assert [f.verdict for f in check().look(bare)] == [Verdict.SKIPPED]


def test_a_clock_without_a_battery_is_wrong(machine):
    finding = the_wrong(Clock().look(replace(machine, now_s=lambda: 12.0)))
    assert finding.verdict is Verdict.WRONG
    assert '1970-01-01 00:00:12' in finding.found and 'timedatectl' in finding.remedy


@pytest.mark.parametrize(('clock', 'said'), [
    (KernelClock(False, 16.0), 'nothing keeps it synchronised'),
    (KernelClock(True, 0.2), '0.200 s off')])
def test_a_clock_that_may_be_off_is_told_of(machine, clock, said):
    finding = the_wrong(Clock().look(replace(machine, kernel_clock=lambda: clock)))
    assert finding.verdict is Verdict.WARNING and said in finding.found


def test_the_kernel_of_this_machine_tells_of_its_clock():
    assert read_kernel_clock().error_s >= 0


@pytest.mark.parametrize('text', ['233', '-1', 'seven', '1.5'])
def test_a_domain_that_is_none_is_wrong(machine, text):
    finding = the_wrong(Domain().look(in_shell(machine, ROS_DOMAIN_ID=text)))
    assert finding.verdict is Verdict.WRONG and repr(text) in finding.found


@pytest.mark.parametrize(('domain', 'is_well'), [
    (0, True), (101, True), (102, False), (214, False), (215, True), (232, True)])
def test_a_domain_whose_ports_others_may_have_is_told_of(machine, domain, is_well):
    findings = Domain().look(in_shell(machine, ROS_DOMAIN_ID=str(domain)))
    assert (findings[0].verdict is Verdict.OK) == is_well


def test_a_domain_whose_ports_reach_into_those_of_others_is_told_of(machine):
    (machine.root / 'proc/sys/net/ipv4/ip_local_port_range').write_text('32740 60999')
    assert Domain().look(in_shell(machine, ROS_DOMAIN_ID='100'))[0].verdict is Verdict.OK
    assert the_wrong(Domain().look(in_shell(machine, ROS_DOMAIN_ID='101')))


@pytest.mark.parametrize(('variables', 'verdict'), [
    ({'ROS_LOCALHOST_ONLY': '1'}, Verdict.WARNING),
    ({'ROS_LOCALHOST_ONLY': 'true'}, Verdict.WRONG),
    ({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}, Verdict.WARNING),
    ({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'OFF'}, Verdict.WRONG),
    ({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LAN'}, Verdict.WRONG),
    ({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET', 'ROS_DISTRO': 'humble'}, Verdict.WARNING)])
def test_a_range_in_which_others_are_not_seen_is_told_of(machine, variables, verdict):
    finding = the_wrong(DiscoveryRange().look(in_shell(machine, **variables)))
    assert finding.verdict is verdict and next(iter(variables)) in finding.found


def test_static_peers_are_seen_from_localhost(machine):
    shell = in_shell(machine, ROS_AUTOMATIC_DISCOVERY_RANGE='LOCALHOST', ROS_STATIC_PEERS='cell')
    assert [f.verdict for f in DiscoveryRange().look(shell)] == [Verdict.OK]


def test_a_middleware_that_is_not_installed_is_wrong(machine):
    finding = the_wrong(Middleware().look(
        in_shell(machine, RMW_IMPLEMENTATION='rmw_cyclonedds_cpp')))
    assert finding.expected == 'one of rmw_fastrtps_cpp'
    assert 'sudo apt install ros-kilted-rmw-cyclonedds-cpp' in finding.remedy


NEW, OLD = 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE'


def test_a_profile_that_does_not_exist_is_wrong(machine):
    finding = the_wrong(Profile().look(in_shell(machine, **{NEW: '/nowhere/fastdds.xml'})))
    assert finding.verdict is Verdict.WRONG and '/nowhere/fastdds.xml' in finding.found
    assert finding.remedy == f'export {NEW}={machine.environment[NEW]}'


@pytest.mark.parametrize(('text', 'verdict'), [
    ('<dds><profiles>', Verdict.WRONG), ('<html/>', Verdict.WRONG),
    ('<dds><profiles/></dds>', Verdict.WARNING),
    ('<dds><profiles><transport_descriptors><transport_descriptor><type>SHM</type><segment_size>'
     '700000</segment_size></transport_descriptor></transport_descriptors></profiles></dds>',
     Verdict.WARNING)])
def test_a_profile_that_is_none_or_has_little_shared_memory_is_told_of(
        machine, tmp_path, text, verdict):
    path = tmp_path / 'profile.xml'
    path.write_text(text)
    assert the_wrong(Profile().look(in_shell(machine, **{NEW: str(path)}))).verdict is verdict


def test_no_profile_is_a_warning_with_the_command_that_sets_ours(machine):
    finding = the_wrong(Profile().look(in_shell(machine, **{NEW: None})))
    assert finding.verdict is Verdict.WARNING
    assert finding.remedy == f'export {NEW}={machine.environment[NEW]}'


@pytest.mark.parametrize(('distro', 'wanted', 'other'), [
    ('humble', OLD, NEW), ('jazzy', OLD, NEW), ('kilted', NEW, OLD), ('lyrical', NEW, OLD)])
def test_the_other_release_s_variable_is_not_read(machine, distro, wanted, other):
    ours = machine.environment[NEW]
    shell = in_shell(machine, **{'ROS_DISTRO': distro, NEW: None, OLD: None, other: ours})
    finding = the_wrong(Profile().look(shell))
    assert finding.verdict is Verdict.WRONG
    assert finding.expected == wanted and finding.remedy == f'export {wanted}={ours}'


def test_small_socket_buffers_are_told_of(machine):
    (machine.root / 'proc/sys/net/core/rmem_max').write_text('212992\n')
    finding = the_wrong(SocketBuffers().look(machine))
    assert '208.0 KiB' in finding.found and 'rmem_max' in finding.remedy


def test_socket_buffers_that_a_container_hides_are_left_out(machine):
    (machine.root / 'proc/sys/net/core/rmem_max').unlink()
    assert SocketBuffers().look(machine)[0].verdict is Verdict.SKIPPED


def test_no_shared_memory_is_wrong(machine):
    (machine.root / 'dev' / 'shm').rmdir()
    assert the_wrong(SharedMemory().look(machine)).verdict is Verdict.WRONG


def test_little_shared_memory_is_told_of(machine, mounted):
    place = mounted('size=200m')
    (machine.root / 'dev' / 'shm').rmdir()
    (machine.root / 'dev' / 'shm').symlink_to(place)
    assert '384.0 MiB for 6 participants' in the_wrong(SharedMemory().look(machine)).expected
    default = in_shell(machine, **{NEW: None})
    assert SharedMemory().look(default)[0].verdict is Verdict.OK


@pytest.mark.skipif(os.geteuid() != 0, reason='only root gives files away')
def test_shared_memory_of_another_user_is_told_of(machine):
    path = machine.root / 'dev' / 'shm' / 'fastdds_0123'
    path.write_text('')
    os.chown(path, 1234, 1234)
    assert '1234' in the_wrong(SharedMemory().look(machine)).found


def test_no_interface_for_multicast_is_told_of(machine):
    (machine.root / 'sys/class/net/eth0/flags').write_text('0x1002\n')
    (machine.root / 'sys/class/net/lo/flags').write_text('0x1009\n')
    assert the_wrong(Network().look(machine)).verdict is Verdict.WARNING


def test_an_old_distribution_is_wrong(machine):
    findings = list(Installation().look(in_shell(machine, ROS_DISTRO='foxy')))
    assert any(f.verdict is Verdict.WRONG and f.found == 'ROS 2 foxy' for f in findings)


@pytest.mark.parametrize(('module', 'said'), [
    ('rclpy', 'finds no rclpy'), ('active_collection.msg', 'has no ROS messages')])
def test_a_python_that_does_not_fit_is_wrong(machine, monkeypatch, module, said):
    monkeypatch.setattr(installation, 'find_spec', lambda name: None if name == module else True)
    finding = the_wrong(Installation().look(machine))
    assert finding.verdict is Verdict.WRONG and said in finding.found


def test_a_python_that_fits_is_well(machine, monkeypatch):
    monkeypatch.setattr(installation, 'find_spec', lambda name: True)
    assert [f.verdict for f in Installation().look(machine)] == [Verdict.OK]


def test_a_workspace_without_this_package_is_wrong(machine):
    findings = list(Installation().look(in_shell(machine, AMENT_PREFIX_PATH='/nowhere')))
    assert any('colcon build' in f.remedy for f in findings)


def start(machine, pid, words, **environment):
    """Plant a process."""
    place = machine.root / 'proc' / str(pid)
    place.mkdir(parents=True)
    (place / 'cmdline').write_bytes(''.join(f'{word}\0' for word in words).encode())
    (place / 'environ').write_bytes(
        ''.join(f'{name}={value}\0' for name, value in environment.items()).encode())


RECORDER = ['python3', '/ws/install/lib/active_collection/recorder', '--ros-args', '-r',
            '__ns:=/arm_1']


def test_a_node_in_another_domain_is_wrong_of_the_robot_that_is_asked_for(machine):
    start(machine, 41, ['bash', '-c', 'echo'])
    start(machine, 42, RECORDER, **{**machine.environment, 'ROS_DOMAIN_ID': '9'})
    finding = the_wrong(Processes().look(replace(machine, robot='/arm_1')))
    assert finding.verdict is Verdict.WRONG
    assert '/arm_1/recorder (process 42) has ROS_DOMAIN_ID=9' in finding.found
    assert 'export ROS_DOMAIN_ID=9' in finding.remedy
    assert the_wrong(Processes().look(machine)).verdict is Verdict.WARNING
    for other in ('/arm_2', '/arm', '/arm_1/left'):
        assert Processes().look(replace(machine, robot=other))[0].verdict is Verdict.SKIPPED


SCHEDULER = ['python3', '/ws/install/lib/active_collection/scheduler']


def test_a_scheduler_elsewhere_is_no_fault_of_a_robot_and_no_news_where_it_has_one(machine):
    start(machine, 42, SCHEDULER, **{**machine.environment, 'ROS_DOMAIN_ID': '9'})
    asked = replace(machine, robot='/arm_1')
    assert the_wrong(Processes().look(asked)).verdict is Verdict.WARNING

    start(machine, 43, SCHEDULER, **machine.environment)
    assert [str(f) for f in Processes().look(asked)] == [
        '/scheduler (process 43): same environment as here']


def test_a_node_without_the_profile_is_told_of(machine):
    start(machine, 42, RECORDER, ROS_DOMAIN_ID='7')
    finding = the_wrong(Processes().look(replace(machine, robot='/arm_1')))
    assert finding.verdict is Verdict.WARNING and f'{NEW}=(not set)' in finding.found


def test_what_is_not_set_is_the_default(machine):
    start(machine, 42, RECORDER, **{NEW: machine.environment[NEW], 'ROS_LOCALHOST_ONLY': '0'})
    shell = in_shell(machine, ROS_DOMAIN_ID='0')
    assert [f.verdict for f in Processes().look(shell)] == [Verdict.OK]


@pytest.mark.parametrize(('requirement', 'found', 'is_well'), [
    ('numpy>=1.21.5', '1.26.4', True), ('numpy>=1.21.5', '1.21.5', True),
    ('numpy>=1.21.5', '1.21.4', False),
    ('pyarrow>=14', '9.0', False), ('torch>=2.4', '2.13.0+cpu', True),
    ('mujoco==3.3.0', '3.3', True), ('mujoco==3.3.0', '3.3.1', False),
    ('psycopg[binary]>=3.3', '3.2.9', False), ('packaging', '1', True)])
def test_versions_are_compared_as_numbers(requirement, found, is_well):
    assert is_met(requirement, found) == is_well


def test_packages_that_are_as_required_are_one_line(machine):
    (finding,) = Packages({'base': {'numpy': 'numpy>=1.21.5', 'yaml': 'pyyaml>=5.4.1'}}).look(
        machine)
    assert finding.verdict is Verdict.OK and '2 packages as required (numpy ' in finding.found


def test_a_package_that_is_too_old_missing_or_broken_is_told_of(machine, tmp_path, monkeypatch):
    for name, text in {
            'clashes_': 'raise ImportError("built for numpy 2")', 'kills_': 'import os\n'
            'os.kill(os.getpid(), 9)', 'sound_': '__version__ = "1.9"'}.items():
        (tmp_path / f'{name}.py').write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv('PYTHONPATH', f'{tmp_path}:{os.environ.get("PYTHONPATH", "")}')
    groups = {'base': {'absent_': 'absent-', 'sound_': 'sound->=2', 'clashes_': 'clashes->=1',
                       'kills_': 'kills-'}, 'images': {'missing_': 'missing-'}}

    found = [str(finding) for finding in Packages(groups).look(machine)]

    assert len(found) == 4
    for text in ('sound_ 1.9; expected sound->=2; pip install', 'ImportError: built for numpy 2',
                 'kills_  cannot be imported: it ends Python with status -9'.replace('  ', ' '),
                 'absent_ is not installed'):
        assert any(text in line for line in found), (text, found)


def test_an_import_that_a_busy_machine_holds_up_is_no_fault(machine, tmp_path, monkeypatch):
    (tmp_path / 'slow_.py').write_text('import time; time.sleep(60)')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv('PYTHONPATH', f'{tmp_path}:{os.environ.get("PYTHONPATH", "")}')
    monkeypatch.setattr(packages, 'LIMIT_S', 1.0)
    (finding,) = Packages({'base': {'slow_': 'slow-'}}).look(machine)
    assert finding.verdict is Verdict.OK and 'not imported within 1 s: slow_' in finding.found
