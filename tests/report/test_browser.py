"""The page in a real Chromium, driven over its debugging pipe: nothing is fetched, nothing complains, tables sort."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consensus_onnx.report import write_report

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
LIMIT = 60.0  # seconds for any answer


class Browser:
    """One page; `events` holds everything the browser told about it."""

    def __init__(self, program: str, profile: Path) -> None:
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        # The browser takes commands from descriptor 3 and answers on 4, which a shell arranges without preexec_fn.
        script = f'exec "$0" "$@" 3<&{commands} 4>&{answers} {commands}<&- {answers}>&-'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", script, program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._number = 0
        self._pending = b""
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + LIMIT
        while b"\0" not in self._pending:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            data = os.read(self._read, 1 << 20)
            assert data, "the browser has gone"
            self._pending += data
        message, _, self._pending = self._pending.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def open(self, path: Path, width: int = 1280, scheme: str = "light") -> None:
        self.events.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not self.told("Page.loadEventFired"):
            self.events.append(self._receive())

    def evaluate(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def told(self, *methods: str) -> list[dict[str, Any]]:
        return [event["params"] for event in self.events if event.get("method") in methods]

    def complaints(self) -> list[dict[str, Any]]:
        self.evaluate("1")  # whatever was said before this answer has arrived with it
        return self.told("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")

    def requests(self) -> list[str]:
        addresses = [event["request"]["url"] for event in self.told("Network.requestWillBeSent")]
        return [address for address in addresses if not address.startswith("data:")]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None or not Path("/bin/bash").exists():
        pytest.skip("no Chromium here: looked for " + ", ".join(NAMES))
    opened = Browser(program, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def page(run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(run, tmp_path_factory.mktemp("report") / "page.html")


def column(heading: str) -> str:
    """Return script for the texts of a column of the first table."""
    return f"""(() => {{
        const heads = [...document.querySelector("table.sortable thead tr").children];
        const at = heads.findIndex((head) => head.textContent.trim() === {json.dumps(heading)});
        const rows = [...document.querySelector("table.sortable tbody").rows];
        return rows.map((row) => row.children[at].textContent.trim());
    }})()"""


def click(heading: str) -> str:
    return f"""[...document.querySelectorAll("table.sortable")[0].querySelectorAll("thead button")]
        .find((button) => button.textContent.trim() === {json.dumps(heading)}).click()"""


def test_the_driver_sees_complaints_and_requests(browser, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text("<script>console.error('no'); undefined_thing()</script><img src='missing.png'>")
    browser.open(bad)
    assert browser.complaints()
    assert any(address.endswith("missing.png") for address in browser.requests())


def test_page_loads_alone_and_without_complaint(browser, page):
    browser.open(page)
    assert browser.complaints() == []
    assert browser.requests() == [page.resolve().as_uri()]
    assert browser.evaluate("getComputedStyle(document.querySelector('.cells')).display") == "grid"  # style admitted


def test_headings_sort_and_say_so(browser, page):
    browser.open(page)
    assert browser.evaluate(column("Member"))[-1] == "broken"
    browser.evaluate(click("Member"))
    assert browser.evaluate(column("Member")) == ["alpha", "beta", "broken", "delta", "epsilon", "gamma", "zeta"]
    browser.evaluate(click("Accuracy"))
    assert browser.evaluate(column("Member")) == ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "broken"]
    sorted_by = "[...document.querySelector('table.sortable').querySelectorAll('[aria-sort]:not([aria-sort=none])')]"
    heads = browser.evaluate(f"{sorted_by}.map((head) => head.textContent.trim() + ' ' + head.ariaSort)")
    assert heads == ["Accuracy descending"]
    browser.evaluate(click("Accuracy"))  # the other way round, and what has no value stays last
    assert browser.evaluate(column("Member")) == ["zeta", "epsilon", "delta", "gamma", "beta", "alpha", "broken"]
    assert browser.complaints() == []


def test_a_heading_sorts_by_keyboard(browser, page):
    browser.open(page)
    browser.evaluate("document.querySelectorAll('table.sortable thead button')[1].focus()")
    for kind in ("keyDown", "keyUp"):
        browser.call(
            "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13
        )
    assert browser.evaluate(column("Member"))[:3] == ["alpha", "beta", "broken"]


def test_a_member_lights_up_everywhere(browser, page):
    browser.open(page)
    browser.evaluate("""document.querySelector('tr[data-member="0"]')
        .dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))""")
    lit = browser.evaluate("[...new Set([...document.querySelectorAll('.lit')].map((e) => e.dataset.member))]")
    assert lit == ["0"]
    kinds = browser.evaluate("[...new Set([...document.querySelectorAll('.lit')].map((e) => e.tagName.toLowerCase()))]")
    assert {"tr", "g", "figure"} <= set(kinds)


def test_strength_of_colours_can_be_changed(browser, page):
    browser.open(page)
    browser.evaluate("""(() => { const s = document.getElementById('strength'); s.value = 40;
        s.dispatchEvent(new Event('input')); })()""")
    assert browser.evaluate("getComputedStyle(document.querySelector('.overlay')).opacity") == "0.4"


def test_every_picture_decodes(browser, page):
    browser.open(page)
    sizes = browser.call(
        "Runtime.evaluate",
        expression="""Promise.all([...document.querySelectorAll('image')].map((image) => {
            const copy = new Image(); copy.src = image.getAttribute('href');
            return copy.decode().then(() => copy.naturalWidth, () => 0); }))""",
        awaitPromise=True,
        returnByValue=True,
    )["result"]["value"]
    assert len(sizes) > 4 * (2 + 2 * 5)
    assert min(sizes) > 0


@pytest.mark.parametrize("width", [400, 800, 1280])
def test_page_is_never_wider_than_the_window(width, browser, page):
    browser.open(page, width=width)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_and_light_differ_and_both_are_readable(browser, page):
    def colours() -> list[float]:
        script = """['color', 'backgroundColor'].map((name) => getComputedStyle(document.body)[name]
            .match(/[0-9.]+/g).slice(0, 3).reduce((sum, part) => sum + +part, 0) / 3)"""
        found: list[float] = browser.evaluate(script)
        return found

    browser.open(page, scheme="light")
    ink, paper = colours()
    browser.open(page, scheme="dark")
    dark_ink, dark_paper = colours()
    assert paper - ink > 180
    assert dark_ink - dark_paper > 180


def choose(element: str, value: str) -> str:
    return f"""(() => {{ const s = document.getElementById('{element}'); s.value = {json.dumps(value)};
        s.dispatchEvent(new Event('change')); }})()"""


def test_pictures_can_be_put_in_order_of_disagreement(browser, page):
    browser.open(page)
    shown = "[...document.querySelectorAll('#shown > article')].map((one) => one.dataset.place)"
    assert browser.evaluate(shown) == ["0", "1", "2", "3"]
    browser.evaluate(choose("order", "disagreement"))
    assert browser.evaluate(shown) == ["3", "2", "1", "0"]
    browser.evaluate(choose("order", "name"))
    names = browser.evaluate("[...document.querySelectorAll('#shown > article')].map((one) => one.dataset.name)")
    assert names == sorted(names)
    assert browser.complaints() == []


def test_one_explainer_can_be_shown_alone(browser, page):
    browser.open(page)
    visible = """[...new Set([...document.querySelectorAll('#shown .strip')].filter((one) => !one.hidden)
        .map((one) => one.dataset.explainer))]"""
    assert browser.evaluate(visible) == ["LIME", "SmoothGrad"]
    browser.evaluate(choose("explained", "SmoothGrad"))
    assert browser.evaluate(visible) == ["SmoothGrad"]
    assert browser.evaluate("getComputedStyle(document.querySelector('#shown .strip[hidden]')).display") == "none"


def test_long_rankings_can_be_filtered(browser, make_run, fakes, tmp_path):
    members = [replace(fakes[0], name=f"net{i}", family="Res" if i % 2 else "Vgg") for i in range(10)]
    browser.open(write_report(make_run(members, explainers=["lime"]), tmp_path / "page.html", images=0))
    browser.evaluate("""(() => { const s = document.getElementById('filter-lime'); s.value = 'vgg';
        s.dispatchEvent(new Event('input')); })()""")
    rows = "[...document.querySelectorAll('#table-lime tbody tr')].filter((row) => row.offsetHeight > 0).length"
    assert browser.evaluate(rows) == 5
    assert browser.complaints() == []


def test_plots_show_who_they_mean(browser, page):
    browser.open(page)
    plots = browser.evaluate("[...document.querySelectorAll('svg.scatter')].map((one) => one.ariaLabel)")
    wanted = ("against accuracy", "average precision against consensus score", "by committee size", "similarity of")
    for words in wanted:
        assert any(words in plot for plot in plots), words
    assert browser.evaluate("document.querySelectorAll('.mark.reference').length") > 0
    assert browser.evaluate("document.querySelectorAll('svg.heatmap rect').length") > 20
