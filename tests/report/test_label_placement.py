from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from consensus_onnx.report.label_placement import CHARACTER_WIDTH, LINE_HEIGHT, Box, Label, place_labels

FRAME = Box(0.0, 0.0, 700.0, 400.0)


def box_of(label: Label) -> Box:
    width = CHARACTER_WIDTH * len(label.text)
    left = {"start": label.x, "middle": label.x - width / 2, "end": label.x - width}[label.anchor]
    return Box(left, label.y - 3.6 - LINE_HEIGHT / 2, left + width, label.y - 3.6 + LINE_HEIGHT / 2)


places = st.tuples(st.floats(0, 700), st.floats(0, 400))
names = st.text("abcdefgh_", min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(places, names), max_size=25))
def test_labels_never_cover_each_other_nor_points_nor_leave_the_frame(entries):
    points, texts = [place for place, _ in entries], [text for _, text in entries]
    labels = [label for label in place_labels(points, texts, FRAME) if label is not None]
    boxes = [box_of(label) for label in labels]
    assert all(first.overlap(second) < 1e-6 for first, second in combinations(boxes, 2))
    assert all(not (box.left < x < box.right and box.top < y < box.bottom) for box in boxes for x, y in points)
    assert all(FRAME.left - 1e-6 <= box.left and box.right <= FRAME.right + 1e-6 for box in boxes)


def test_a_lone_point_is_labelled_at_its_side():
    (label,) = place_labels([(100.0, 100.0)], ["resnet"], FRAME)
    assert (label.anchor, label.leader) == ("start", False)
    assert 100 < label.x < 115


def test_labels_avoid_lines_where_they_can():
    wall = Box(105.0, 0.0, 107.0, 400.0)
    (label,) = place_labels([(100.0, 100.0)], ["resnet"], FRAME, [wall])
    assert box_of(label).overlap(wall) == 0


def test_a_name_without_room_is_left_out():
    crowd = [(300.0 + x, 200.0 + y) for x in range(0, 40, 4) for y in range(0, 40, 4)]
    labels = place_labels(crowd, ["a_rather_long_name"] * len(crowd), FRAME)
    assert None in labels
    assert any(label is not None for label in labels)
