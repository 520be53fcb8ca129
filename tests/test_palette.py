"""Colours that can be told apart, by everybody up to ten labels."""

import subprocess
import sys

import numpy as np
import pytest

from xcluster.base.palette import UNCLASSIFIED_COLOR, label_colors

# Machado, Oliveira and Fernandes (2009): what a reader without one kind of cone sees.
SIMULATED = {
    "all cones": np.eye(3),
    "no long": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "no middle": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "no short": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def seen(colors, matrix):
    """CIE L*a*b* of colours after a loss of cones."""
    rgb = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in colors]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(matrix), 0, 1)
    xyz = (
        linear
        @ np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]).T
    )
    xyz = np.cbrt(np.maximum(xyz / [0.9505, 1, 1.089], 1e-4))
    return np.stack(
        [116 * xyz[:, 1] - 16, 500 * (xyz[:, 0] - xyz[:, 1]), 200 * (xyz[:, 1] - xyz[:, 2])], -1
    )


def nearest_pair(colors, matrix=SIMULATED["all cones"]):
    lab = seen(colors, matrix)
    distance = np.linalg.norm(lab[:, None] - lab, axis=-1)
    return distance[np.triu_indices(len(colors), 1)].min()


@pytest.mark.parametrize("eye", SIMULATED)
def test_ten_labels_and_the_unclassified_grey_stay_apart_in_any_eye(eye):
    assert nearest_pair([*label_colors(10), UNCLASSIFIED_COLOR], SIMULATED[eye]) > 13


@pytest.mark.parametrize(("n", "apart"), [(20, 20), (60, 12), (150, 7)])
def test_many_labels_have_distinct_colors(n, apart):
    colors = label_colors(n)
    assert len(set(colors)) == n
    assert nearest_pair([*colors, UNCLASSIFIED_COLOR]) > apart


def test_the_color_of_a_label_does_not_depend_on_how_many_there_are():
    assert label_colors(4) == label_colors(40)[:4]


def test_ordered_labels_become_steadily_lighter():
    lightness = seen(label_colors(12, ordered=True), np.eye(3))[:, 0]
    assert (np.diff(lightness) > 2).all()


@pytest.mark.parametrize("ordered", [False, True])
def test_zero_and_one_label_work(ordered):
    assert label_colors(0, ordered=ordered) == []
    assert len(label_colors(1, ordered=ordered)) == 1


def test_a_negative_number_is_refused():
    with pytest.raises(ValueError, match="n=-1"):
        label_colors(-1)


def test_the_palette_does_not_import_matplotlib():
    code = "import sys, xcluster.base.palette; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
