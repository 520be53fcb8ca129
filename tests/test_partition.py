"""From a clusterer's numbers to labels: order, names, colours, merges, floors, CF flags."""

import re

import numpy as np
import pytest

from xcluster.fit.labels import Partition, canonical_order, check_floor


def partition(codes=(0, 1, 2), **keywords):
    return Partition(np.array(codes), **keywords)


# ------------------------------------------------------------------------------------------ labels


def test_numbers_become_the_labels_they_are_coded_as():
    found = partition([2, 0, 1, 0])(np.array([0, 1, 2, 3, 3]))
    assert found.tolist() == [2, 0, 1, 0, 0]
    assert found.dtype == np.float32


def test_negative_numbers_are_unclassified():
    assert partition([1, 0])(np.array([-1, 0, -5, 1])).tolist() == [-1, 1, -1, 0]


def test_a_code_may_itself_be_unclassified():
    of = partition([0, -1, 1])
    assert of.n_labels == 2
    assert of(np.array([0, 1, 2])).tolist() == [0, -1, 1]


def test_labels_are_counted():
    assert partition([1, 0, 1]).n_labels == 2
    assert partition([-1, -1]).n_labels == 0


def test_memberships_of_merged_labels_add_up():
    raw = np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]], np.float32)
    found = partition([1, 0, 1]).memberships(raw)
    np.testing.assert_allclose(found, [[0.2, 0.8], [0.25, 0.75]], rtol=1e-6)
    assert found.dtype == np.float32


def test_samples_are_unclassified_unless_a_membership_exceeds_the_floor():
    labels = np.array([0, 1, 1], np.float32)
    memberships = np.array([[0.6, 0.4], [0.5, 0.5], [0.1, 0.9]])
    assert partition([0, 1], floor=0.5).classify(labels, memberships).tolist() == [0, -1, 1]
    assert partition([0, 1], floor=0.95).classify(labels, memberships).tolist() == [-1, -1, -1]
    assert partition([0, 1]).classify(labels, memberships) is labels
    assert partition([0, 1], floor=0.5).classify(labels, memberships).dtype == np.float32


# ------------------------------------------------------------------------------- names and colours


def test_labels_are_named_by_their_numbers_unless_named():
    assert partition().label_names() == ("label_0", "label_1", "label_2")
    assert partition(names=("a", "b", "c")).label_names() == ("a", "b", "c")


def test_colours_are_distinct_hexadecimal_text_and_sequential_where_labels_are_ordered():
    colors, ordered = partition().label_colors(), partition(ordered=True).label_colors()
    for each in (colors, ordered):
        assert len(set(each)) == 3
        assert all(re.fullmatch("#[0-9a-f]{6}", color) for color in each)
    assert colors != ordered
    assert partition(colors=("#000000", "#ffffff", "#ff0000")).label_colors()[2] == "#ff0000"


def test_flags_follow_cf():
    attrs = partition(names=("cold pole", "b", "c"), colors=("#000001", "#000002", "#000003")).attrs
    assert attrs["long_name"] == "label"
    assert attrs["flag_values"].tolist() == [0, 1, 2]
    assert attrs["flag_values"].dtype == np.int16
    assert attrs["flag_meanings"] == "cold_pole b c"
    assert attrs["flag_colors"] == "#000001 #000002 #000003"
    assert set(attrs) == {"long_name", "flag_values", "flag_meanings", "flag_colors"}


@pytest.mark.parametrize(
    "of", [partition(has_noise=True), partition(floor=0.5), partition([0, 0, 0])]
)
def test_unclassified_has_a_flag_where_it_may_occur_or_one_flag_would_stand_alone(of):
    attrs = of.attrs
    assert attrs["flag_values"].tolist() == [-1, *range(of.n_labels)]
    assert attrs["flag_meanings"].split()[:2] == ["unclassified", "label_0"]
    assert attrs["flag_colors"].split()[1:] == list(of.label_colors())
    assert re.fullmatch("#[0-9a-f]{6}", attrs["flag_colors"].split()[0])


# --------------------------------------------------------------------------------------- recoding


def test_names_and_colours_move_with_their_labels():
    of = partition([2, 0, 1], names=("a", "b", "c"), colors=("#00000a", "#00000b", "#00000c"))
    moved = of.recoded([1, 2, 0])
    assert moved.codes.tolist() == [0, 1, 2]
    assert moved.label_names() == ("c", "a", "b")
    assert moved.label_colors() == ("#00000c", "#00000a", "#00000b")


def test_merged_labels_take_the_name_and_colour_of_the_first():
    of = partition(names=("a", "b", "c"), colors=("#00000a", "#00000b", "#00000c"))
    merged = of.recoded(np.array([0, 1, 0]))
    assert merged.codes.tolist() == [0, 1, 0]
    assert merged.label_names() == ("a", "b")
    assert merged.label_colors() == ("#00000a", "#00000b")


@pytest.mark.parametrize("ordered", [False, True])
def test_a_label_with_a_name_keeps_its_default_color_when_others_merge(ordered):
    of = partition([0, 1, 2, 3], names=("a", "b", "c", "d"), ordered=ordered)
    merged = of.recoded([0, 1, 0, 2])
    kept = dict(zip(of.label_names(), of.label_colors(), strict=True))
    found = dict(zip(merged.label_names(), merged.label_colors(), strict=True))
    assert found == {name: kept[name] for name in "abd"}


def test_labels_without_names_get_those_of_their_new_numbers():
    moved = partition(floor=0.5, has_noise=True, ordered=True).recoded([2, 0, 1])
    assert moved.names is None
    assert moved.colors is None
    assert moved.label_names() == ("label_0", "label_1", "label_2")
    assert (moved.floor, moved.has_noise, moved.ordered) == (0.5, True, True)


def test_a_new_label_without_a_former_one_has_the_default_name():
    """As where a match leaves a number free."""
    of = partition([0, 1], names=("a", "b"), colors=("#00000a", "#00000b"))
    moved = of.recoded([0, 2])
    assert moved.label_names() == ("a", "label_1", "b")
    assert moved.label_colors()[1] == Partition(np.arange(3)).label_colors()[1]


# ------------------------------------------------------------------------------------- relabelling


def test_all_or_some_names_and_colours_are_given():
    of = partition()
    assert of.relabelled(["x", "y", "z"], None).label_names() == ("x", "y", "z")
    assert of.relabelled(("x", "y", "3"), None).label_names() == ("x", "y", "3")
    assert of.relabelled({2: "z", 0: "x"}, None).label_names() == ("x", "label_1", "z")
    assert of.relabelled(None, ["red", "#00FF00", "k"]).label_colors() == (
        "#ff0000",
        "#00ff00",
        "#000000",
    )
    assert of.relabelled(None, {0: (0, 1, 0)}).label_colors()[0] == "#00ff00"
    colors = of.relabelled(["x", "y", "z"], {1: "red"})
    assert colors.label_colors() == (of.label_colors()[0], "#ff0000", of.label_colors()[2])
    assert colors.label_names() == ("x", "y", "z")
    assert of.relabelled(None, None) is of


@pytest.mark.parametrize(
    ("names", "colors", "message"),
    [
        (
            ["x", "x", "z"],
            None,
            "names=['x', 'x', 'z']: gives ['x'] twice. Use merge() to join labels.",
        ),
        (
            {1: "label_0"},
            None,
            "names={1: 'label_0'}: gives ['label_0'] twice. Use merge() to join labels.",
        ),
        (
            ["x", "y"],
            None,
            "names=['x', 'y']: must give one text for each of the 3 labels. "
            "To change only some, pass a mapping.",
        ),
        (
            "xyz",
            None,
            "names='xyz': must give one text for each of the 3 labels. "
            "To change only some, pass a mapping.",
        ),
        (
            3,
            None,
            "names=3: must give one text for each of the 3 labels. "
            "To change only some, pass a mapping.",
        ),
        (
            {3: "x", -1: "y"},
            None,
            "names={3: 'x', -1: 'y'}: has the key 3, but labels are 0 to 2. Use labels as keys.",
        ),
        (
            None,
            {"red": 1},
            "colors={'red': 1}: has the key 'red', but labels are 0 to 2. Use labels as keys.",
        ),
        (
            ["x", " \t", "z"],
            None,
            "names=' \\t': is blank, so that a legend would show nothing. Pass a mapping "
            "without this label.",
        ),
        (
            None,
            ["red", "no colour", "blue"],
            "colors='no colour': is not a colour that matplotlib knows. Use a name or '#rrggbb'.",
        ),
    ],
)
def test_what_cannot_name_or_colour_labels_is_said(names, colors, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        partition().relabelled(names, colors)
    assert str(caught.value) == message


def test_names_and_colours_are_text():
    with pytest.raises(TypeError, match=r"^names=7: must be text"):
        partition().relabelled({0: 7}, None)


def test_labels_that_nobody_named_take_the_names_of_their_new_numbers():
    of = partition(range(4)).relabelled({0: "tropics"}, None)
    assert of.recoded([0, 0, 1, 2]).label_names() == ("tropics", "label_1", "label_2")
    assert of.recoded([3, 2, 1, 0]).label_names() == ("label_0", "label_1", "label_2", "tropics")
    assert partition().recoded([0, 0, 1]).names is None


# ----------------------------------------------------------------------------------------- floor


@pytest.mark.parametrize("u", [0, 0.5, np.float32(0.25)])
def test_a_floor_is_a_membership(u):
    assert check_floor(u) == u


@pytest.mark.parametrize("u", [1, 1.5])
def test_a_floor_that_no_membership_exceeds_is_refused(u):
    message = f"u={u}: must be below 1: no membership is above 1. Pass, for example, u=0.5."
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        check_floor(u)
    assert str(caught.value) == message


def test_a_floor_below_zero_or_of_text_is_refused():
    with pytest.raises(ValueError, match=r"^u=-0.1: must be .*0"):
        check_floor(-0.1)
    with pytest.raises(TypeError, match=r"^u='0.5': "):
        check_floor("0.5")


# ----------------------------------------------------------------------------------------- order


def test_labels_are_numbered_by_falling_counts():
    assert canonical_order(np.array([5, 9, 7]), None).tolist() == [2, 0, 1]
    assert canonical_order(np.array([5, 9, 7]), np.zeros((3, 2))).dtype == np.int64
    assert canonical_order(np.array([0, 5, 9], np.uint8), None).tolist() == [2, 1, 0]


def test_labels_are_numbered_by_rising_values_where_given():
    counts = np.array([5, 9, 7])
    assert canonical_order(counts, None, np.array([0.5, -1.0, 0.0])).tolist() == [2, 0, 1]


def test_ties_go_by_the_first_column_of_the_centres_then_by_the_next():
    counts = np.array([3, 3, 3, 8])
    centers = np.array([[1.0, 5.0], [0.0, 9.0], [1.0, 2.0], [7.0, 7.0]])
    assert canonical_order(counts, centers).tolist() == [3, 1, 2, 0]
    ties = np.zeros(4)
    assert canonical_order(counts, centers, ties).tolist() == [2, 0, 1, 3]
