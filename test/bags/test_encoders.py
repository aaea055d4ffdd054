# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures become numbers: the built-in encoder, TorchScript, and observations made of both."""
from __future__ import annotations

import warnings
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from active_collection.bags.alignment import ObservationAligner
from active_collection.bags.encoders import encoder_files
from active_collection.bags.encoders import load_encoders
from active_collection.bags.encoders import with_fingerprints
from active_collection.bags.observation import ObservationSpec
from active_collection.bags.random_features import RandomFeatures
from active_collection.bags.torchscript_encoder import TorchScriptEncoder
from active_collection.config import parse
from active_collection.errors import ConfigError

SPEC = """
format: 1
reference: hand
tolerance_s: 0.1
wait_s: 0.0
observation:
  - {name: hand, field: 'hand.position'}
  - {name: camera, image: 'camera/image', encoder: ENCODER}
action: {field: 'action.position', low: [-1], high: [1]}
"""


def spec_with(encoder):
    return parse(SPEC.replace('ENCODER', encoder), ObservationSpec, where='spec.yaml')


def scene(x, y, size=96):
    """A bright disc and a square on a dark ground."""
    picture = np.full((size, size, 3), 30, np.uint8)
    cv2.circle(picture, (x, y), 9, (230, 90, 40), -1)
    cv2.rectangle(picture, (x + 14, y - 5), (x + 20, y + 5), (40, 200, 90), -1)
    return picture


class Means(torch.nn.Module):
    """Mean of each colour, and the mean of the left half."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        half = pictures.shape[3] // 2
        left = pictures[:, :, :, :half].mean((1, 2, 3))
        return torch.cat([pictures.mean((2, 3)), left[:, None]], 1)


class Maps(torch.nn.Module):
    """Feature maps: an encoder that was exported without its pooling."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures[:, :, ::2, ::2]


def export(network, path):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.jit.script(network).save(str(path))
    return path


def test_random_features_are_positions_that_never_change():
    first, second = (RandomFeatures(96).encode(scene(40, 50)) for _ in range(2))

    assert first.shape == (64,)
    assert first.dtype == np.float64
    np.testing.assert_array_equal(first, second)
    assert np.abs(first).max() <= 1.0


def test_random_features_follow_what_moves_in_the_picture():
    """32 x positions follow a step to the right, and the 32 y positions do not."""
    encoder = RandomFeatures(96)

    right = encoder.encode(scene(60, 48)) - encoder.encode(scene(36, 48))
    down = encoder.encode(scene(40, 60)) - encoder.encode(scene(40, 36))

    assert np.median(right[:32]) > 0.1 > np.abs(np.median(right[32:]))
    assert np.median(down[32:]) > 0.1 > np.abs(np.median(down[:32]))


def test_random_features_do_not_see_brightness_or_contrast():
    encoder = RandomFeatures(96)
    picture = scene(40, 50)

    darker = encoder.encode((picture // 2).astype(np.uint8))

    np.testing.assert_allclose(darker, encoder.encode(picture), atol=0.02)


@pytest.mark.parametrize('shape', [(16, 16, 3), (480, 640, 3), (1, 1, 3)])
def test_random_features_take_pictures_of_any_size(shape):
    features = RandomFeatures(32).encode(np.zeros(shape, np.uint8))

    assert features.shape == (64,)
    assert np.isfinite(features).all()


def test_a_torchscript_encoder_gives_what_its_network_gives(tmp_path):
    encoder = TorchScriptEncoder(export(Means(), tmp_path / 'means.ts'), 32)
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, :32] = (255, 51, 0)

    features = encoder.encode(picture)

    np.testing.assert_allclose(features, [0.5, 0.1, 0.0, 0.4], atol=1e-6)


@pytest.mark.parametrize(('content', 'message'), [
    (None, r'encoder .*network\.ts: found no such file'),
    (b'nonsense', r'encoder .*network\.ts: found .*, expected a TorchScript file'),
])
def test_a_file_that_is_no_torchscript_is_named(tmp_path, content, message):
    if content is not None:
        (tmp_path / 'network.ts').write_bytes(content)

    with pytest.raises(ConfigError, match=message) as error:
        TorchScriptEncoder(tmp_path / 'network.ts', 32)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(('network', 'message'), [
    (Maps(), r'found shape \(1, 3, 16, 16\), expected \(1, n\)'),
    (torch.nn.Linear(5, 2), r'expected a network of \(1, 3, size, size\) to \(1, n\)'),
])
def test_a_network_of_another_kind_is_refused_at_its_first_picture(tmp_path, network, message):
    encoder = TorchScriptEncoder(export(network, tmp_path / 'network.ts'), 32)

    with pytest.raises(ConfigError, match=message) as error:
        encoder.encode(scene(40, 50))
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(('encoder', 'message'), [
    ('{kind: torchscript}', "'file', the name of a .ts file"),
    ("{kind: torchscript, file: '../x.ts'}", "'file', the name of a .ts file"),
    ('{kind: torchscript, file: x.pt}', "'file', the name of a .ts file"),
    ('{file: x.ts}', "no 'file' for encoder 'random_features'"),
    ('{size: 8}', 'greater than or equal to 16'),
    ('{kind: resnet}', 'encoder'),
])
def test_a_wrong_encoder_is_refused_by_name(encoder, message):
    with pytest.raises(ConfigError, match=message):
        spec_with(encoder)


@pytest.mark.parametrize('item', [
    "{name: x, image: 'a/image', field: 'b.c'}", "{name: x, image: 'a/image', one_of: [y, z]}",
    "{name: x, field: 'b.c', encoder: {}}", '{name: x}'])
def test_an_item_is_either_numbers_or_a_picture(item):
    text = SPEC.replace("{name: camera, image: 'camera/image', encoder: ENCODER}", item)

    with pytest.raises(ConfigError):
        parse(text, ObservationSpec, where='spec.yaml')


def test_an_ensemble_refuses_another_network_under_the_same_name(tmp_path):
    file = export(Means(), tmp_path / 'network.ts')
    spec = with_fingerprints(spec_with('{kind: torchscript, file: network.ts}'), tmp_path)
    assert encoder_files(spec, tmp_path) == (file,)
    assert list(load_encoders(spec, tmp_path)) == ['camera']

    export(Maps(), file)

    with pytest.raises(ConfigError, match=r'network\.ts: found another content, expected sha256'):
        load_encoders(spec, tmp_path)


def test_a_missing_file_is_told_before_anything_is_decoded(tmp_path):
    with pytest.raises(ConfigError, match=r'network\.ts: found no such file'):
        with_fingerprints(spec_with('{kind: torchscript, file: network.ts}'), tmp_path)


class Counting:
    """Encodes to the brightness, and counts."""

    def __init__(self):
        self.pictures = 0

    def encode(self, image):
        self.pictures += 1
        return np.array([image.mean()])


def stamped(time_ns, **fields):
    stamp = SimpleNamespace(sec=time_ns // 10**9, nanosec=time_ns % 10**9)
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp, frame_id='base'), **fields)


def picture_message(time_ns, value, **changes):
    return stamped(time_ns, **{'height': 4, 'width': 4, 'encoding': 'rgb8', 'is_bigendian': 0,
                               'step': 12, 'data': np.full(48, value, np.uint8), **changes})


def test_only_pictures_of_observations_are_encoded_and_each_once():
    """A camera at 100 Hz beside a reference at 20 Hz, and one picture for two references."""
    encoder = Counting()
    aligner = ObservationAligner(spec_with('{}'), encoders={'camera': encoder})
    made = []
    for number in range(50):
        time_ns = 10**9 + number * 10_000_000
        aligner.add('camera/image', picture_message(time_ns, number), time_ns)
        for late in (0, 1) if number % 5 == 0 else ():
            hand = stamped(time_ns + late, position=[0.5])
            made += aligner.add('hand', hand, time_ns + late)

    assert [m.values.tolist() for m in made] == [
        [0.5, float(number)] for number in range(0, 50, 5) for _ in (0, 1)]
    assert encoder.pictures == 10


def test_a_picture_that_cannot_be_read_costs_its_observation_and_is_named():
    aligner = ObservationAligner(spec_with('{}'), encoders={'camera': Counting()})
    aligner.add('camera/image', picture_message(10**9, 7, encoding='strange'), 10**9)

    assert aligner.add('hand', stamped(10**9, position=[0.5]), 10**9) == []
    assert aligner.statistics.dropped == 1
    assert 'camera/image' in aligner.statistics.problem
    assert 'strange' in aligner.statistics.problem

    aligner.add('camera/image', picture_message(2 * 10**9, 7), 2 * 10**9)
    made = aligner.add('hand', stamped(2 * 10**9, position=[0.5]), 2 * 10**9)
    assert [m.values.tolist() for m in made] == [[0.5, 7.0]]


def test_an_image_without_an_encoder_is_refused():
    with pytest.raises(ConfigError, match='observation item camera: found no encoder'):
        ObservationAligner(spec_with('{}'))
