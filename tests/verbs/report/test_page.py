"""The page in a real browser: headless Chromium, without a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.verbs.conftest import WriteRun
from tests.verbs.report.conftest import HOSTILE, VERSIONS
from training_hub.cli import dispatch
from training_hub.sweep_dir import SweepDir

pytestmark = [pytest.mark.browser, pytest.mark.needs("playwright", "plotly")]
ARGUMENTS = (
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--enable-unsafe-swiftshader",
)  # fmt: skip
READY = "window.Plotly && document.querySelector('#chart-loss .main-svg')"
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def said() -> Iterator[list[str]]:
    """Errors of the open pages, and what they asked a network for; at the end there must be none."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def open_page(browser: Any, said: list[str]) -> Iterator[Open]:
    """A function that opens a page and waits until its charts are there."""
    contexts = []

    def open_it(place: Path | str, width: int = 1280, **how: Any) -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": 844}, **how))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda asked: said.append(asked.url) if asked.url.startswith("http") else None)
        page.goto(Path(place).absolute().as_uri())
        page.wait_for_function(READY)
        return page

    yield open_it
    for each in contexts:
        each.close()


def names(page: Any) -> list[str]:
    """The numbers of the runs, as the table has them from top to bottom."""
    return [text.strip() for text in page.locator("#ranking tbody th").all_inner_texts()]


def curves(page: Any, chart: str = "loss") -> list[str]:
    found: list[str] = page.evaluate(f"document.getElementById('chart-{chart}').data.map(each => each.name)")
    return found


def test_a_sweep_is_ranked_sorted_smoothed_and_chosen_from(swept: SweepDir, open_page: Open) -> None:
    assert dispatch(["report", "swept"]) == 0
    page = open_page("swept/report.html")
    assert names(page) == ["4", "3", "5", "2", "6", "7", "8", "9", "10", "11", "1", "12"]
    assert curves(page)[:2] == ["lr=0.01 seed=1", "lr=0.1 seed=3"]
    assert len(curves(page, "lr")) == 11  # one has not begun

    lr = page.locator("#ranking th", has_text="lr")
    lr.get_by_role("button").click()
    assert (lr.get_attribute("aria-sort"), names(page)[0]) == ("ascending", "10")
    lr.get_by_role("button").click()
    assert (lr.get_attribute("aria-sort"), names(page)[:3]) == ("descending", ["3", "2", "1"])
    page.locator("#ranking th", has_text="Held-out loss").get_by_role("button").click()
    assert names(page)[-1] == "12"  # what has no value comes last

    page.get_by_label("show lr=0.01 seed=1 in the charts").uncheck()
    assert "lr=0.01 seed=1" not in curves(page)
    every = page.get_by_label("show all runs in the charts")
    assert every.evaluate("each => each.indeterminate")
    every.check()
    every.uncheck()
    assert curves(page) == []
    every.check()
    page.get_by_label("held-out rows, dashed").uncheck()
    assert len(curves(page)) == 11

    rough = page.evaluate("document.getElementById('chart-loss').data[0].y")
    page.get_by_label("Smoothing").fill("40")
    smooth = page.evaluate("document.getElementById('chart-loss').data[0].y")
    assert smooth[0] == rough[0]
    assert rough[-1] < smooth[-1] < rough[0]
    page.get_by_label("Over").select_option("tokens")
    assert page.evaluate("document.getElementById('chart-loss').data[0].x.at(-1)") == 1000

    page.wait_for_selector("#chart-parallel canvas", state="attached")
    axes = page.evaluate("document.getElementById('chart-parallel').data[0].dimensions.map(each => each.label)")
    assert axes == ["lr", "seed", "loss"]
    page.evaluate("Plotly.restyle('chart-parallel', {'dimensions[1].constraintrange': [[0.5, 1.5]]})")
    page.wait_for_function("document.querySelectorAll('#ranking tr.off').length === 9")
    assert {name.split("=")[-1] for name in curves(page, "lr")} == {"1"}


def test_every_metric_has_a_chart_with_its_values_on_held_out_rows(write_run: WriteRun, open_page: Open) -> None:
    run = write_run("run")
    for step in range(1, 11):
        run.append_metrics(step=step, **{"my/score": step / 10, "constructor": 1.0})
    run.append_metrics(step=10, **{"eval_my/score": 0.5})
    write_run("bare")
    assert dispatch(["report", "run", "bare", "output_path=page.html"]) == 0
    page = open_page("page.html")
    page.wait_for_selector("[id='further-my/score'] .main-svg")
    drawn = page.evaluate("document.getElementById('further-my/score').data.map((each) => [each.name, each.y])")
    assert drawn == [["run", [step / 10 for step in range(1, 11)]], ["run, held-out", [0.5]]]
    assert page.locator("figcaption").all_inner_texts()[-2:] == ["my/score", "constructor"]
    assert page.evaluate("document.getElementById('further-constructor').data.length") == 1


def test_whatever_users_and_models_write_is_only_shown(hostile: Path, write_run: WriteRun, open_page: Open) -> None:
    write_run(f"other {HOSTILE.replace('/', '')}", {"note": "none"})
    assert dispatch(["report", str(hostile), f"other {HOSTILE.replace('/', '')}", "output_path=page.html"]) == 0
    page = open_page("page.html")
    assert page.locator("img").count() == 0
    assert page.locator(".prompt").inner_text() == HOSTILE
    assert page.locator(".answers dd").last.inner_text() == f"{HOSTILE}\n{{{{ 7 * 6 }}}}"
    assert page.locator("#ranking").get_by_text(HOSTILE).first.is_visible()
    assert curves(page)[1].startswith("other &lt;img")


@pytest.fixture
def two(write_run: WriteRun) -> str:
    """A page about two runs, with all sections but the parallel coordinates, which take two seconds to draw."""
    write_run("two/a", {"lr": 0.1}, versions=VERSIONS)
    write_run("two/b", {"lr": 0.2}, versions={"torch": "2.12"}).append_sample("after", "a question", "an answer")
    assert dispatch(["report", "two"]) == 0
    return "two/report.html"


def test_a_phone_shows_it_by_day_and_by_night(two: str, open_page: Open) -> None:
    """Nothing is wider than the screen, and every text stands out: by 4.5 : 1, as WCAG asks (level AA)."""
    page = open_page(two, width=390, is_mobile=True, has_touch=True)
    for scheme, ground in {"light": "rgb(247, 248, 250)", "dark": "rgb(18, 22, 28)"}.items():
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        found = page.evaluate(CONTRASTS)
        assert len(found) > 50
        assert [each for each in found if each["ratio"] < 4.5] == []
    ink = "document.getElementById('chart-loss').layout.font.color === '#e6eaf0'"
    page.wait_for_function(ink)  # the charts have followed
    assert page.evaluate("document.getElementById('chart-loss').layout.dragmode") is False  # a finger scrolls the page


CONTRASTS = """() => {
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map((each) => each / 255)
      .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (!/, 0\\)$/.test(color)) return color;
    }
  };
  const shown = [...document.querySelectorAll("h1, h2, p, th, td, dt, dd, li, label, .state, .of")];
  return shown.filter((each) => each.innerText?.trim() && each.checkVisibility()).map((each) => {
    const [a, b] = [light(getComputedStyle(each).color), light(ground(each))].sort((x, y) => y - x);
    return { text: each.innerText.slice(0, 30), ratio: (a + 0.05) / (b + 0.05) };
  });
}"""


def test_a_chart_tells_its_values_and_zooms(two: str, open_page: Open) -> None:
    page = open_page(two)
    box, range_ = page.locator("#chart-loss").bounding_box(), "document.getElementById('chart-loss').layout.xaxis.range"
    whole = page.evaluate(range_)
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 100)
    told = r"/a : [\d.]+.*b : [\d.]+.*held-out : 1.5\d* at 10/"
    page.wait_for_function(f"{told}.test(document.querySelector('.hoverlayer').textContent)")
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 104, steps=4)
    page.mouse.up()
    page.wait_for_function(f"{range_}[0] > {whole[0]} + 1 && {range_}[1] < {whole[1]} - 1")
    left, right = page.evaluate(range_)
    page.get_by_label("logarithmic loss").check()
    assert page.evaluate(range_) == [left, right]  # what is chosen elsewhere leaves the part that is shown


def test_the_headings_have_an_order_and_every_control_a_name(two: str, open_page: Open) -> None:
    page = open_page(two)
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(each => Number(each.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    unnamed = "[...document.querySelectorAll('input, select')].filter(e => !e.labels.length && !e.ariaLabel).length"
    assert page.evaluate(unnamed) == 0


def test_it_is_one_file_of_moderate_size(swept: SweepDir) -> None:
    assert dispatch(["report", "swept"]) == 0
    text = Path("swept/report.html").read_text()
    assert len(text) < 2_500_000
    assert "src=" not in text.partition("<script")[0]
    data = text.partition('id="data"')[2].partition(">")[2].partition("</script>")[0]
    assert len(json.loads(data)["runs"]) == 12
