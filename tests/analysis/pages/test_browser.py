"""The pages in a browser: silent, no sideways scrolling, accessible to axe, sortable; dark mode changes the ink."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis import load
from analysis.comparison.declared import Wanted
from analysis.comparison.report import write_comparison
from analysis.sensitivity.report import write_sensitivity

RESULTS = Path(__file__).parents[3] / "results"
AXE = importlib.util.find_spec("axe_core_python")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
webdriver = pytest.importorskip("selenium.webdriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver on the PATH"),
]
OPTIONS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


@pytest.fixture(scope="module", params=["report", "comparison", "sensitivity"])
def browser(
    request: pytest.FixtureRequest, written: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[webdriver.Chrome]:
    """Headless Chromium with a page open: the report of a hard study, or what real studies gave."""
    page = tmp_path_factory.mktemp("page") / "page.html"
    if request.param == "comparison":
        write_comparison(load(RESULTS, "all_methods_cifar10_small"), page, wanted=Wanted("random_search"))
    elif request.param == "sensitivity":
        write_sensitivity(load(RESULTS, "sensitivity_cifar10_small"), page, method="darts")
    else:
        page = written
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for argument in (*OPTIONS, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
        try:
            driver.get(page.as_uri())
            yield driver
        finally:
            driver.quit()


def resize(browser: webdriver.Chrome, width: int) -> None:
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def test_console_is_silent_and_nothing_but_the_page_is_loaded(browser: webdriver.Chrome) -> None:
    assert browser.get_log("browser") == []
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []


@pytest.mark.parametrize("width", [390, 820, 1280])
def test_page_never_scrolls_sideways(browser: webdriver.Chrome, width: int) -> None:
    resize(browser, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    wide = browser.execute_script(
        "return [...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, pre, svg') && "
        "e.getBoundingClientRect().right > window.innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert wide == []


def test_text_in_the_overview_table_is_not_cut_on_a_phone(browser: webdriver.Chrome) -> None:
    resize(browser, 390)
    widths = browser.execute_script(
        "return [...document.querySelectorAll('tbody th')].map(e => [e.scrollWidth, e.clientWidth])"
    )
    assert widths and all(content <= box + 1 for content, box in widths)


def test_dark_mode_swaps_the_ink_of_page_and_figures(browser: webdriver.Chrome) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        colours[scheme] = browser.execute_script(
            "const text = document.querySelector('.plots svg text');"
            "return [getComputedStyle(document.body).backgroundColor, getComputedStyle(text).fill]"
        )
    assert colours["light"][0] == "rgb(255, 255, 255)"
    assert colours["dark"][0] != colours["light"][0] and colours["dark"][1] != colours["light"][1]


@pytest.mark.skipif(AXE is None, reason="needs axe-core-python, which brings axe.min.js")
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (820, "dark"), (1280, "light")])
def test_axe_finds_nothing_serious(browser: webdriver.Chrome, width: int, scheme: str) -> None:
    assert AXE is not None and AXE.origin is not None
    resize(browser, width)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    browser.execute_script((Path(AXE.origin).parent / "axe.min.js").read_text(encoding="utf-8"))
    browser.execute_script("document.querySelectorAll('details').forEach(e => e.open = true)")
    browser.set_script_timeout(120)
    found = browser.execute_async_script(
        "const done = arguments[0]; axe.run({resultTypes: ['violations']}).then(r => done(r.violations.map("
        "v => [v.id, v.impact, v.nodes.length, v.nodes[0].html.slice(0, 120)])))"
    )
    assert [violation for violation in found if violation[1] in ("serious", "critical")] == []


@pytest.mark.parametrize("browser", ["report"], indirect=True)
def test_tables_sort_by_number_with_the_missing_last_and_filter_by_a_word(browser: webdriver.Chrome) -> None:
    order = (
        "const table = document.querySelector('#summary table'), button = table.tHead.rows[0].cells[2].firstChild;"
        "button.click();"
        "return [...table.tBodies[0].rows].map(r => r.cells[2].textContent)"
    )
    up, down = browser.execute_script(order), browser.execute_script(order)
    known = [float(text.split()[0]) for text in up if text != "–"]
    assert known == sorted(known) and len(known) > 2
    assert [float(text.split()[0]) for text in down if text != "–"] == known[::-1]
    assert up[-1] == down[-1] == "–"
    state = "return document.querySelector('#summary [aria-sort]').getAttribute('aria-sort')"
    assert browser.execute_script(state) == "descending"
    shown = browser.execute_script(
        "const input = document.querySelector('#checklist input'); input.value = 'random';"
        "input.dispatchEvent(new Event('input'));"
        "return [...document.querySelectorAll('#checklist tbody tr')].filter(r => !r.hidden).map(r => r.textContent)"
    )
    assert shown and all("random" in text.lower() for text in shown)
