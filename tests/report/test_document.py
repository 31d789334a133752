from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from consensus_onnx.engine.run import Run
from consensus_onnx.errors import StoreError
from consensus_onnx.report import write_report
from consensus_onnx.report.pictures import grey_photograph, overlay, photograph
from consensus_onnx.report.sections.gallery import CONSENSUS_SIDE

# HTML's elements without content, and SVG's that the page closes in place.
VOID = {"meta", "link", "br", "wbr", "input", "img"}


class Page(HTMLParser):
    """Collects what a browser would load and show, and refuses elements that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.stack, f"never closed: {self.stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack[-1] == tag, f"</{tag}> closes <{self.stack[-1]}>"
        self.stack.pop()

    def handle_data(self, data: str) -> None:
        if not self.stack or self.stack[-1] not in ("script", "style"):
            self.text.append(data)

    def references(self) -> list[str]:
        """Return every address the page would fetch or lead to."""
        names = ("href", "src", "srcset", "action", "data", "poster", "xlink:href")
        return [value or "" for _, attributes in self.tags for key, value in attributes.items() if key in names]

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())


def read(path: Path) -> tuple[str, Page]:
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


def outside(page: Page) -> list[str]:
    return [address for address in page.references() if not address.startswith(("#", "data:"))]


@pytest.fixture(scope="module")
def written(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(run, tmp_path_factory.mktemp("report") / "page.html")


def test_the_checker_finds_unclosed_elements_and_outside_addresses():
    with pytest.raises(AssertionError, match="closes <b>"):
        Page("<p><b>x</p>")
    with pytest.raises(AssertionError, match="never closed"):
        Page("<div><p></p>")
    assert outside(Page('<img src="https://x.org/a.png"><a href="#b"></a>')) == ["https://x.org/a.png"]


def test_default_path_is_in_the_run_folder(make_run):
    run = make_run(images=1, explainers=["lime"])
    assert write_report(run) == run.path / "report.html"


def test_page_is_well_formed_and_names_every_member_and_section(written, run):
    _, page = read(written)
    for member in run.members:
        assert member.name in page.words
    for heading in ("Before you quote a number", "Ranking", "Accuracy against agreement", "Do explainers agree?",
                    "Do they find the objects?", "What else could explain the score?", "Would another committee agree?",
                    "Who agrees with whom?", "What they look at", "How it was made"):  # fmt: skip
        assert heading in page.words


def test_page_tells_what_is_missing(written):
    _, page = read(written)
    assert "broken load_error not an ONNX file" in page.words
    assert "unsupported(smoothgrad)" in page.words
    assert "torn.png image load_error does not decode" in page.words
    assert "layout assumed NCHW" in page.words
    assert "No explanation from delta, broken." in page.words


def test_summary_says_what_the_consensus_finds(written, run):
    _, page = read(written)
    agreed = np.nanmean(run.consensus_ap("lime"))
    below = int((np.nanmean(run.mask_ap("lime")[:6], axis=1) < agreed).sum())
    than = "all 6 members" if below == 6 else f"{below} of 6 members"
    assert f"average precision of {agreed:.2f}, more than {than}." in page.words


def test_page_loads_nothing_from_outside(written):
    text, page = read(written)
    assert outside(page) == []
    assert not re.search(r"(?i)\bhttps?://|//cdn|@import|url\((?!#)", text)


def test_content_security_policy_admits_exactly_our_script_and_style(written):
    text, page = read(written)
    policy = next(a["content"] or "" for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    for element, directive in (("script", "script-src"), ("style", "style-src")):
        (body,) = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert not [a for _, a in page.tags if "style" in a or any(key.startswith("on") for key in a)]


def test_every_picture_says_what_it_shows(written):
    _, page = read(written)
    pictures = [a for tag, a in page.tags if tag == "svg" and a.get("role") == "img"]
    assert len(pictures) > 4 * 2 * (2 + 5)
    assert all(a.get("aria-label") for a in pictures)


def test_same_run_gives_same_bytes(written, run, tmp_path):
    assert write_report(run, tmp_path / "again.html").read_bytes() == written.read_bytes()


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;"


def test_hostile_texts_stay_text(make_run, fakes, tmp_path):
    members = [
        replace(fakes[0], name=HOSTILE, family=HOSTILE, notices=(HOSTILE,)),
        replace(fakes[1], name="\x1b[31mred\u202e", family="{{ 7 * 7 }}"),
        replace(fakes[2], name="long" * 500),
        replace(fakes[6], reason=HOSTILE + "\x1b]0;title\x07" + "x" * 5000),
    ]
    run = make_run(members, name=HOSTILE, image_names=[HOSTILE.replace("/", "|")], failed={"a\x1b.png": HOSTILE})
    text, page = read(write_report(run, tmp_path / "page.html"))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("script") == 1
    assert "img" not in tags
    assert not [a for _, a in page.tags if any(key.startswith("on") for key in a)]
    assert outside(page) == []
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    assert "<script>alert(1)</script>" in page.words  # as text
    assert "{{ 7 * 7 }}" in page.words
    assert "long" * 160 not in text
    assert "x" * 1000 not in text


def test_one_explainer(make_run, tmp_path):
    _, page = read(write_report(make_run(explainers=["smoothgrad"]), tmp_path / "page.html"))
    assert "Do explainers agree?" not in page.words
    assert "LIME" not in page.words
    assert "SmoothGrad" in page.words


def test_no_labels_no_accuracies_no_masks(make_run, fakes, tmp_path):
    members = [replace(fake, accuracy=None) for fake in fakes]
    _, page = read(write_report(make_run(members, labels=False, masks=False), tmp_path / "page.html"))
    assert "Accuracy against agreement" not in page.words
    assert "(without labels)" in page.words
    assert "Mask AP" not in page.words


def test_one_image(make_run, tmp_path):
    _, page = read(write_report(make_run(images=1), tmp_path / "page.html"))
    assert "A score from a single image has no interval" in page.words


def test_one_member(make_run, fakes, tmp_path):
    _, page = read(write_report(make_run(fakes[:1]), tmp_path / "page.html"))
    assert "No committee" in page.words
    assert "nothing to compare" in page.words


def test_explainer_that_nobody_could_serve(make_run, fakes, tmp_path):
    members = [replace(fake, unsupported=("smoothgrad",)) for fake in fakes]
    _, page = read(write_report(make_run(members, masks=False), tmp_path / "page.html"))
    assert "no consensus" in page.words
    assert "0 members with a score" in page.words


@pytest.mark.parametrize("images", [0, 1, 2, 99])
def test_as_many_images_as_asked_for_and_there(images, run, tmp_path):
    _, page = read(write_report(run, tmp_path / "page.html", images=images))
    assert len([1 for tag, a in page.tags if tag == "article" and a.get("class") == "shown"]) == min(images, 4)
    assert ("What they look at" in page.words) == (images > 0)


def test_negative_images_are_refused(run, tmp_path):
    with pytest.raises(ValueError, match="images: must be >= 0, got -1"):
        write_report(run, tmp_path / "page.html", images=-1)


def test_unwritable_path_is_told(run, tmp_path):
    with pytest.raises(StoreError, match=r"page\.html: cannot be written"):
        write_report(run, tmp_path / "nowhere" / "page.html")


def test_eighteen_members_on_eight_images_by_two_explainers_stay_below_6_mb():
    # The worst there is: maps of pure noise at full size, every superpixel another weight.
    rng = np.random.default_rng(0)
    noise = rng.gamma(0.5, size=(224, 224)).astype(np.float32)
    y, x = np.mgrid[:224, :224]
    ragged = ((y + rng.integers(0, 3, y.shape)) // 22) * 11 + (x + rng.integers(0, 3, x.shape)) // 22
    segments = np.unique(ragged, return_inverse=True)[1].reshape(224, 224)
    weights = rng.normal(size=int(segments.max()) + 1)
    picture = rng.integers(0, 255, (28, 28, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    one_image = len(photograph(picture)) + len(grey_photograph(picture)) + len(overlay(noise, None, CONSENSUS_SIDE))
    one_image += 18 * (len(overlay(noise, None)) + len(overlay(weights, segments)))
    assert 8 * one_image < 6e6


def test_thirty_two_members_on_twenty_four_images_stay_below_25_mb():
    rng = np.random.default_rng(0)
    noise = rng.gamma(0.5, size=(224, 224)).astype(np.float32)
    y, x = np.mgrid[:224, :224]
    ragged = ((y + rng.integers(0, 3, y.shape)) // 22) * 11 + (x + rng.integers(0, 3, x.shape)) // 22
    segments = np.unique(ragged, return_inverse=True)[1].reshape(224, 224)
    weights = rng.normal(size=int(segments.max()) + 1)
    one_member = len(overlay(noise, None)) + len(overlay(weights, segments))
    consensus = len(overlay(noise, None, CONSENSUS_SIDE)) + len(overlay(weights, segments))
    assert 24 * (32 * one_member + consensus + 40_000) < 25e6
