# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Our definitions of Foxglove's messages are those of its current release."""
from __future__ import annotations

import pytest
from other_python import answers
from other_python import python_with
from rosbags.typesys import get_types_from_msg

from active_collection.annotation import foxglove
from active_collection.bags.images import VIDEO

#: What Foxglove's own library says: message to [field, type, whether it is a list] in order.
PROBE = """
import json, sys
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from foxglove import messages
for name in sys.argv[1:]:
    files = FileDescriptorSet.FromString(getattr(messages, name).get_schema().data)
    found = {m.name: m for f in files.file for m in f.message_type}
    print('said', json.dumps([name, [
        [field.name, field.type_name.rpartition('.')[2]
         or Field.Type.Name(field.type)[5:].lower(), field.label == field.LABEL_REPEATED]
        for field in found[name].field]]))
"""
#: Theirs to ROS 2's.
KINDS = {'Timestamp': 'Time', 'double': 'float64', 'fixed32': 'uint32', 'Level': 'uint8',
         'Type': 'uint8', 'bytes': 'uint8'}
OWN = {name.rpartition('/')[2]: text for name, text in foxglove.DEFINITIONS.items()
       if name.startswith('foxglove_msgs')}


def fields(name, text):
    """Return [field, type, whether it is a list] of a message in order."""
    kind = f'foxglove_msgs/msg/{name}'
    found = []
    for field, described in get_types_from_msg(text, kind)[kind][1]:
        is_list = int(described[0]) in {3, 4}
        form, inner = described[1][0] if is_list else described
        found.append([field, str(inner[0] if int(form) == 1 else inner).rpartition('/')[2],
                      is_list])
    return found


def test_definitions_are_those_of_foxglove_s_own_library(tmp_path):
    python = python_with('foxglove', 'FOXGLOVE_PYTHON', 'foxglove-sdk protobuf')

    theirs = dict(answers(python, PROBE, *OWN, home=tmp_path))

    for name, text in OWN.items():
        expected = [[field, KINDS.get(kind, kind), is_list or kind == 'bytes']
                    for field, kind, is_list in theirs[name]]
        assert sorted(fields(name, text)) == sorted(expected), name


def test_every_definition_is_complete_in_itself():
    for name in foxglove.TOPICS.values():
        types = get_types_from_msg(foxglove.definition(name), name)
        assert name in types
        assert VIDEO not in types


@pytest.mark.parametrize('name', ['CircleAnnotation', 'PointsAnnotation', 'TextAnnotation',
                                  'ImageAnnotations'])
def test_what_is_drawn_can_carry_more_of_what_it_is(name):
    assert fields(name, OWN[name])[-1] == ['metadata', 'KeyValuePair', True]
    assert fields(name, OWN[name])[0] == ['timestamp', 'Time', False]
