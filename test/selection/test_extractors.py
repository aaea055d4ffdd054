from __future__ import annotations

import numpy as np
import pytest
from bag_factory import scene

from active_collection.selection.extractors import EXTRACTORS
from active_collection.selection.quality import measure

NAMES = ['descriptor']


@pytest.fixture(params=NAMES)
def extractor(request):
    return EXTRACTORS.get(request.param)({})


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
    noise = np.random.default_rng(0).integers(-6, 7, base.shape)
    noisy = np.clip(base + noise, 0, 255).astype(np.uint8)
    a, b, c = extractor.embed([base, noisy, scene(2, size=(96, 128))])
    assert np.linalg.norm(a - b) < 0.5 * np.linalg.norm(a - c)


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
