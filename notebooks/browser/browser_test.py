"""The notebooks in a real browser: `make browser-test`.

It starts JupyterLab with the installed kernel, opens copies of notebooks in
Chromium, which reaches nothing but this machine, and does what readers do: moves
a slider, takes blocks out of a network, changes a value and runs again, loads the page anew, stops and interrupts
trainings, restarts the kernel, turns to the dark theme, completes a name, makes mistakes, exports a page, pages through
slides. Pictures of the pages, and what went wrong if something did, are left in
.out/browser/.
Names of tests as arguments run those alone.
"""

import contextlib
import json
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / ".out" / "browser"
PAGES = OUT / "notebooks"  # the server's folder: copies, which it may save
GONE = (NoSuchElementException, StaleElementReferenceException)  # the page is being drawn anew
PATIENCE = 240  # seconds, for a machine that is busy
SOON = 30  # seconds in which a kernel must be free again

TRAINING = """%%
recipe := notebook.Must(notebook.Preset("quickstart", "epochs=500", "depth=DEPTH"))
notebook.Must(watch.Train(notebook.Context(), "RUN", recipe))"""
SLIDER = """%%
p := notebook.Slider("p_L", 0.1, 1, 0.05, 0.5)
notebook.Check(notebook.Interact(func() (*figures.Figure, error) {
    survival := depth.Linear(9, p.Number())
    return figures.StochasticDepth(survival, survival.Draw(depth.Rand(1, depth.GateDraws, 0)))
}, p))
fmt.Println("the cell has ended")"""

BOXES = """%%
network := notebook.Must(explore.Open("shapes-20-constant"))
var boxes []*notebook.Control
for l := 1; l <= 9; l++ {
    boxes = append(boxes, notebook.CheckBox(fmt.Sprint(l), true))
}
notebook.Check(notebook.Interact(func() (*figures.Figure, error) {
    var closed []int
    for i, box := range boxes {
        if !box.On() {
            closed = append(closed, i+1)
        }
    }
    return explore.Flips(notebook.Context(), network, 16, closed...)
}, boxes...))"""
DEPTHS = """%%
network := notebook.Must(explore.Open("shapes-20-linear-0.7"))
network.Data.Validation, network.Data.Test = network.Data.Validation.First(100), network.Data.Test.First(100)
front := notebook.Must(explore.Prune(notebook.Context(), network, "depth"))
blocks := notebook.Slider("blocks", 3, 9, 1, 9)
notebook.Check(notebook.Interact(func() (*figures.Figure, error) {
    return front.Images(int(blocks.Number()))
}, blocks))"""
# A seed that nobody else tries, so that its tries can be removed.
SEED = "271828"
TRY = """%%
notebook.Must(watch.Try(notebook.Context(), "quickstart", "seed=SEED", "depth=8", "epochs=4", "evaluate_every=16",
    "train_images=64", "validation_images=64", "test_images=64", "death_rate=RATE"))"""
HOVER = """%%
notebook.Hover(figures.TrainingCurves(figures.Recorded("Recorded."), notebook.Must(figures.PanelsOf(
    notebook.Must(notebook.Must(gallery.Open()).Runs([]string{"shapes/20-constant-s11", "shapes/20-linear-0.7-s11"}))))...))"""


def prepare():
    shutil.rmtree(OUT, ignore_errors=True)
    PAGES.mkdir(parents=True)
    idea = json.loads((ROOT / "notebooks" / "01_the_idea.ipynb").read_text())
    (PAGES / "export.ipynb").write_text(json.dumps(idea))
    for cell in idea["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = []  # what is seen is made now
    (PAGES / "01_the_idea.ipynb").write_text(json.dumps(idea))
    for name, source in {"stop": TRAINING.replace("DEPTH", "20"), "interrupt": TRAINING.replace("DEPTH", "110"),
                         "slider": SLIDER, "restart": SLIDER, "dark": SLIDER, "complete": '%%\nfmt.Println("warm")',
                         "mistakes": "x = 5", "boxes": BOXES, "depths": DEPTHS, "hover": HOVER,
                         "again": TRY.replace("SEED", SEED).replace("RATE", "0")}.items():
        cell = {"cell_type": "code", "id": name, "metadata": {}, "execution_count": None, "outputs": [],
                "source": source.replace("RUN", str(OUT / name))}
        (PAGES / f"{name}.ipynb").write_text(json.dumps({**idea, "cells": [cell]}))


@contextlib.contextmanager
def jupyterlab():
    """The server, as a function of a page that gives its address with the token."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    token = secrets.token_hex(16)
    environment = {k: v for k, v in os.environ.items() if k not in ("STOCHDEPTH_TINY", "STOCHDEPTH_HEADLESS")}
    command = [str(ROOT / ".venv/bin/python"), "-m", "jupyterlab", "--no-browser", "--allow-root", "--log-level=WARN",
               "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", f"--IdentityProvider.token={token}",
               f"--ServerApp.root_dir={PAGES}", "--LabApp.expose_app_in_browser=True",
               f"--LabApp.user_settings_dir={OUT / 'settings'}", f"--LabApp.workspaces_dir={OUT / 'workspaces'}"]
    with open(OUT / "jupyterlab.log", "w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            for _ in range(PATIENCE):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                if server.poll() is not None:
                    sys.exit(f"JupyterLab did not start: see {OUT / 'jupyterlab.log'}")
                time.sleep(1)
            yield lambda page, folder="lab/tree": f"http://127.0.0.1:{port}/{folder}/{page}?token={token}&reset"
        finally:
            server.terminate()
            server.wait(30)


@contextlib.contextmanager
def chromium():
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,1400",
                     "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"):
        options.add_argument(argument)
    options.binary_location = shutil.which("chromium") or sys.exit("chromium is missing: apt install chromium")
    driver = shutil.which("chromedriver") or sys.exit("chromedriver is missing: apt install chromium-driver")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    browser.set_page_load_timeout(PATIENCE)
    browser.set_script_timeout(PATIENCE)
    try:
        yield browser
    except BaseException:
        browser.save_screenshot(str(OUT / "failure.png"))
        raise
    finally:
        browser.quit()


def until(browser, what, condition, patience=PATIENCE):
    """The first true value of condition."""
    try:
        return WebDriverWait(browser, patience, poll_frequency=0.2, ignored_exceptions=GONE).until(lambda b: condition())
    except TimeoutException as e:
        raise SystemExit(f"FAILED: {what}: not in {patience} s; the page is in {OUT}/failure.png") from e


def photograph(browser, name):
    time.sleep(1)  # until the page is drawn
    browser.save_screenshot(str(OUT / f"{name}.png"))


def kernel(browser, what="status"):
    return browser.execute_script(f"return window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.{what}")


def open_page(browser, address):
    browser.get(address)
    until(browser, "the notebook opens with its kernel", lambda: kernel(browser, "connectionStatus") == "connected")
    until(browser, "the cells are there", lambda: browser.execute_script("return window.jupyterapp.shell.currentWidget.content.widgets.length"))


def run_all(browser):
    browser.execute_script("window.jupyterapp.commands.execute('notebook:run-all-cells')")


def output(browser):
    """The text of the page's outputs."""
    return "\n".join(area.text for area in browser.find_elements(By.CSS_SELECTOR, ".jp-OutputArea"))


def controls(browser):
    """The controls that a reader sees."""
    return [c for c in browser.find_elements(By.CSS_SELECTOR, "[data-control]") if c.is_displayed()]


def no_error(browser):
    """Nothing red: the cell ended as one that is done."""
    errors = browser.find_elements(By.CSS_SELECTOR, "[data-mime-type='application/vnd.jupyter.stderr'], [data-mime-type='application/vnd.jupyter.error']")
    assert not [e.text for e in errors if e.text], [e.text for e in errors]
    assert "exit status" not in output(browser)


def visible(browser, selector):
    """The first element that is shown, scrolled into view, or None."""
    for element in browser.find_elements(By.CSS_SELECTOR, selector):
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        return element if element.is_displayed() else None


def picture(browser):
    """The data of the picture in the cell with controls."""
    return browser.execute_script("""return document.querySelector("input[data-control]")
        ?.closest('.jp-Cell').querySelector('img')?.src""")


def move(browser, page, name, expected):
    """Moves the slider of a page by four steps to the left, to the expected value, and presses Done."""
    open_page(browser, page)
    run_all(browser)
    until(browser, "the slider appears", lambda: visible(browser, "input[type=range][data-control]"))
    before = until(browser, "the picture appears", lambda: picture(browser))
    photograph(browser, f"{name}-before")
    visible(browser, "input[type=range][data-control]").send_keys(Keys.ARROW_LEFT * 4)
    until(browser, "the picture changes with the slider", lambda: picture(browser) not in (None, before))
    value = browser.find_element(By.CSS_SELECTOR, "input[type=range][data-control] + output").text
    assert value == expected, f"the slider shows {value}"
    photograph(browser, f"{name}-after")
    visible(browser, "button[data-control=done]").click()
    until(browser, "the controls go with Done", lambda: not controls(browser))


def slider(browser, address):
    """A slider moves, and the picture changes with it."""
    move(browser, address("01_the_idea.ipynb"), "slider", "0.3")


def boxes(browser, address):
    """A click takes a block out of a trained network, and the pictures change; another click puts it back."""
    open_page(browser, address("boxes.ipynb"))
    run_all(browser)
    until(browser, "the boxes appear", lambda: visible(browser, "input[type=checkbox][data-control]"))
    whole = until(browser, "the pictures appear", lambda: picture(browser))
    seventh = browser.find_elements(By.CSS_SELECTOR, "input[type=checkbox][data-control]")[6]
    moved = time.monotonic()
    seventh.click()
    without = until(browser, "the pictures change", lambda: picture(browser) not in (None, whole) and picture(browser))
    took = time.monotonic() - moved
    photograph(browser, "boxes")
    seventh.click()
    until(browser, "the pictures of the whole network are back", lambda: picture(browser) == whole)
    assert without != whole
    visible(browser, "button[data-control=done]").click()
    until(browser, "the controls go with Done", lambda: not controls(browser))
    no_error(browser)
    return f"{took:.1f} s a move"


def depths(browser, address):
    """A slider sets the number of blocks of a trained network."""
    move(browser, address("depths.ipynb"), "depths", "5")
    no_error(browser)


def again(browser, address):
    """A changed value, run again, is another try beside the first, and the old value gives the old run at once."""
    def tries():
        return [path for path in (ROOT / "data" / "runs").glob("notebook-*/**/recipe.json") if f'"seed": {SEED}' in path.read_text()]

    def run(rate, what):
        source = TRY.replace("SEED", SEED).replace("RATE", rate)
        browser.execute_script("window.jupyterapp.shell.currentWidget.content.widgets[0].model.sharedModel.setSource(arguments[0])", source)
        run_all(browser)
        until(browser, what, lambda: kernel(browser) == "idle" and "try of quickstart" in output(browser) and
              (not tries()[1:] or "death_rate=0.5" in output(browser)))
        no_error(browser)

    for left in tries():
        shutil.rmtree(left.parent)
    try:
        open_page(browser, address("again.ipynb"))
        run("0", "the first try ends")
        first = len(tries())
        run("0.5", "the second try ends, with a table of both")
        photograph(browser, "again")
        assert (first, len(tries())) == (1, 2), tries()
        started = time.monotonic()
        run("0", "the first try is shown again")
        assert len(tries()) == 2
        return f"{time.monotonic() - started:.0f} s to show an old try"
    finally:
        for left in tries():
            shutil.rmtree(left.parent)


def hover(browser, address):
    """A curve's points say their values, without a script from elsewhere."""
    open_page(browser, address("hover.ipynb"))
    run_all(browser)
    titles = until(browser, "the figure appears", lambda: browser.execute_script(
        "return [...document.querySelectorAll('.jp-OutputArea svg title')].map(t => t.textContent)"))
    photograph(browser, "hover")
    no_error(browser)
    assert any("constant" in t and any(c.isdigit() for c in t) for t in titles), titles[:5]
    spot = browser.execute_script("""const shape = document.querySelector('.jp-OutputArea svg title').parentElement, at = shape.getBoundingClientRect();
        shape.scrollIntoView({block: 'center'}); const b = shape.getBoundingClientRect();
        return document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2)?.closest('g, circle, path, rect')?.querySelector('title')?.textContent ??
            document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2)?.outerHTML""")
    assert any(c.isdigit() for c in spot or ""), spot
    return f"{len(titles)} values, such as {titles[0]!r}"


def reload(browser, address):
    """A page that is loaded anew leaves no cell that waits for it."""
    open_page(browser, address("slider.ipynb"))
    run_all(browser)
    until(browser, "the slider appears", lambda: visible(browser, "input[type=range][data-control]"))
    time.sleep(15)  # longer than a page may be silent: this one is not
    assert kernel(browser) == "busy" and controls(browser), "a page that is there was taken for gone"
    browser.execute_script("return window.jupyterapp.commands.execute('docmanager:save')")
    left = time.monotonic()
    open_page(browser, address("slider.ipynb"))
    assert not controls(browser), "controls that were saved do nothing"
    until(browser, "the kernel is free again", lambda: kernel(browser) == "idle", SOON)
    return f"free {time.monotonic() - left:.0f} s after the page was left"


def restart(browser, address):
    """A kernel that is restarted leaves no controls that do nothing."""
    open_page(browser, address("restart.ipynb"))
    run_all(browser)
    until(browser, "the slider appears", lambda: visible(browser, "input[type=range][data-control]"))
    browser.execute_script("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    until(browser, "the controls go", lambda: not controls(browser), SOON)


def stop(browser, address):
    """A training says at once what it does, and Stop and save ends it in a sentence."""
    open_page(browser, address("stop.ipynb"))
    run_all(browser)
    until(browser, "the cell says that it compiles", lambda: "compiling" in output(browser))
    photograph(browser, "compiling")
    button = until(browser, "the Stop button appears", lambda: visible(browser, "button[data-control=stop]"))
    until(browser, "training begins", lambda: ", training, loss" in output(browser))
    photograph(browser, "training")
    button.click()
    until(browser, "the cell says that it stopped", lambda: "stopped and saved" in output(browser))
    until(browser, "the kernel is free", lambda: kernel(browser) == "idle", SOON)
    photograph(browser, "stopped")
    no_error(browser)
    assert not controls(browser)
    assert list((OUT / "stop" / "checkpoint").glob("*/position.json")), "there is no checkpoint"
    result = json.loads((OUT / "stop" / "result.json").read_text())
    assert result["status"] == "stopped" and result["steps"] > 0, result
    return f"at step {result['steps']}"


def interrupt(browser, address):
    """An interrupted cell ends in a sentence too, while XLA compiles, and its controls go."""
    open_page(browser, address("interrupt.ipynb"))
    run_all(browser)
    until(browser, "the Stop button appears", lambda: visible(browser, "button[data-control=stop]"))
    until(browser, "XLA compiles", lambda: "epoch 1 of 500, compiling" in output(browser))
    asked = time.monotonic()
    browser.execute_script("window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    until(browser, "the cell says that it stopped", lambda: "stopped while compiling" in output(browser), SOON)
    until(browser, "the kernel is free", lambda: kernel(browser) == "idle", SOON)
    took = time.monotonic() - asked
    photograph(browser, "interrupted")
    no_error(browser)
    assert not controls(browser)
    return f"after {took:.0f} s"


def dark(browser, address):
    """In the dark theme pictures have a margin and controls are dark."""
    open_page(browser, address("export.ipynb"))
    visible(browser, ".jp-RenderedImage img")
    photograph(browser, "page-light")
    light = browser.execute_script("return getComputedStyle(document.querySelector('.jp-RenderedImage img')).filter")
    assert light == "none", light
    browser.execute_async_script("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'}).then(arguments[0])")
    until(browser, "the theme is dark", lambda: browser.execute_script("return document.body.dataset.jpThemeLight === 'false'"))
    visible(browser, ".jp-RenderedImage img")
    photograph(browser, "page-dark")
    style = browser.execute_script("""const img = document.querySelector('.jp-RenderedImage img'), s = getComputedStyle(img);
        return [s.backgroundColor, s.padding, s.filter, img.offsetWidth <= img.closest('.jp-OutputArea-output').offsetWidth]""")
    assert style == ["rgb(255, 255, 255)", "12px", "brightness(0.87)", True], style
    open_page(browser, address("dark.ipynb"))
    run_all(browser)
    until(browser, "the slider appears", lambda: visible(browser, "input[type=range][data-control]"))
    until(browser, "the picture appears", lambda: picture(browser))
    photograph(browser, "slider-dark")
    button = browser.execute_script("""const b = getComputedStyle(document.querySelector('button[data-control=done]'));
        return [b.color, b.backgroundColor].map(c => c.match(/[0-9]+/g).slice(0, 3).reduce((a, v) => a + Number(v), 0) / 3)""")
    assert button[0] - button[1] > 100, f"light text on a dark button: {button}"
    visible(browser, "button[data-control=done]").click()
    until(browser, "the cell ends", lambda: "the cell has ended" in output(browser))
    open_page(browser, address("stop.ipynb"))
    run_all(browser)
    until(browser, "training goes on", lambda: ", training, loss" in output(browser))
    photograph(browser, "training-dark")
    browser.execute_script("window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    until(browser, "the interrupted training stops", lambda: "stopped and saved" in output(browser))
    until(browser, "the kernel is free", lambda: kernel(browser) == "idle", SOON)
    photograph(browser, "stopped-dark")
    no_error(browser)
    browser.execute_async_script("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'}).then(arguments[0])")


def complete(browser, address):
    """A name of the toolkit is completed at the first request, once, and no test is offered."""
    open_page(browser, address("complete.ipynb"))
    started = time.monotonic()
    matches = browser.execute_async_script("""const code = '%%\\nnotebook.Show', done = arguments[0];
        window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
            .requestComplete({code, cursor_pos: code.length}).then(r => done(r.content.matches), e => done([String(e)]))""")
    assert sorted(matches) == ["Show", "ShowTable"], matches
    return f"in {time.monotonic() - started:.1f} s after the page has its kernel"


def mistakes(browser, address):
    """A newcomer's mistake is told once, with the line and a remedy, and without a folder."""
    open_page(browser, address("mistakes.ipynb"))
    for source, remedy in {"x = 5": "put %% alone", "%%\nx = 5": "x := 5", "%%\nx := 'abc'": "double quotes", "%%\n# a comment": "//",
                           "%%\nfor i in range(10):\n    fmt.Println(i)": "i := range 10", '%%\nnotebook.Figur("fig1")': "did you mean Figure",
                           "%%\nnotebook.Check(errors.New(\"no luck\"))": "no luck"}.items():
        browser.execute_script("window.jupyterapp.shell.currentWidget.content.widgets[0].model.sharedModel.setSource(arguments[0])", source)
        run_all(browser)
        said = until(browser, f"{source!r} is answered by {remedy!r}", lambda: kernel(browser) == "idle" and remedy in output(browser) and output(browser))
        assert said.count(remedy) == 1 and said.count("exit status") <= 1 and "gonb_" not in said and "failed to run" not in said, said
    photograph(browser, "mistakes")


def export(browser, address):
    """An exported page shows formulas without a network, and so does the page that JupyterLab exports."""
    subprocess.run([str(ROOT / ".venv/bin/python"), "-m", "nbconvert", "--log-level=ERROR", "--to", "html",
                    "--output-dir", str(OUT), str(PAGES / "export.ipynb")], check=True)
    pages = {"file": (OUT / "export.html").as_uri()}
    with urllib.request.urlopen(address("export.ipynb", "nbconvert/html")) as answer:
        (OUT / "exported-by-jupyterlab.html").write_bytes(answer.read())
    pages["jupyterlab"] = (OUT / "exported-by-jupyterlab.html").as_uri()
    for name, page in pages.items():
        browser.get(page)
        formulas = browser.execute_script("return [...document.querySelectorAll('math')].map(m => m.getBoundingClientRect().width)")
        assert len(formulas) > 20 and min(formulas) > 2, formulas
        assert browser.execute_script("return document.querySelectorAll('h2 math msub').length"), "a heading's formula"
        rest = browser.execute_script("return [...document.querySelectorAll('.jp-RenderedMarkdown')].map(m => m.innerText).filter(t => t.includes('$'))")
        assert not rest, rest
        loaded = browser.execute_script("return performance.getEntriesByType('resource').map(r => r.name).filter(n => n.startsWith('http'))")
        assert not loaded, loaded
        browser.execute_script("document.querySelector('math[display=block]')?.scrollIntoView({block: 'center'})")
        photograph(browser, f"exported-{name}")


def lesson(browser, address):
    """The page of a lecture plays without a server: its slider takes blocks out, and pictures become wrong."""
    page = OUT / "lesson.html"
    subprocess.run(["go", "run", "./toolkit/cmd/stochdepth", "prune", "data/models/shapes-20-linear-0.7", "--order", "depth",
                    "--page", str(page)], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    browser.get(page.as_uri())

    def state():
        return browser.execute_script("""return [document.getElementById("count").textContent,
            document.querySelectorAll("#blocks .gone").length, document.querySelectorAll("figure.wrong").length,
            document.querySelectorAll("figure img").length, parseFloat(document.getElementById("says").textContent.match(/[\\d.]+/))]""")

    count, gone, few, images, whole = state()
    assert (count, gone, images) == ("9 of 9", 0, 24), (count, gone, images)
    depth = browser.find_element(By.ID, "depth")
    for expected in range(1, 7):
        depth.send_keys(Keys.ARROW_LEFT)
        assert state()[1] == expected, state()
    count, gone, many, _, small = state()
    assert count == "3 of 9" and many > few and small > whole, (count, few, many, whole, small)
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(r => r.name).filter(n => n.startsWith('http'))")
    assert not loaded, loaded
    photograph(browser, "lesson")
    return f"{few} of 24 wrong with 9 blocks, {many} with 3"


def slides(browser, address):
    """Every slide of the notebooks that have some fits on its screen, and needs no network."""
    browser.set_window_size(1280, 720)
    counts = []
    for book in sorted((ROOT / "notebooks").glob("*.ipynb")):
        if '"slide_type"' not in book.read_text():
            continue
        subprocess.run(["make", "slides", f"NOTEBOOK={book.stem}"], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        browser.get((ROOT / ".out" / "slides" / f"{book.stem}.slides.html").as_uri())
        until(browser, "the slides are ready", lambda: browser.execute_script("return Reveal.isReady()"))
        browser.execute_script("Reveal.configure({fragments: false})")  # all of them at once
        counts.append(browser.execute_script("return Reveal.getTotalSlides()"))
        for number in range(1, counts[-1] + 1):
            wrong = browser.execute_script("""const slide = Reveal.getCurrentSlide(), of = x => [...slide.querySelectorAll(x)];
                return [...[slide, ...of("pre, table")].filter(e => e.scrollHeight > e.clientHeight + 1 || e.scrollWidth > e.clientWidth + 1)
                        .map(e => `${e.tagName} needs ${e.scrollWidth} x ${e.scrollHeight}`),
                    ...of("img").filter(e => e.clientHeight < 300).map(e => `a picture is ${e.clientHeight} high`)]""")
            browser.save_screenshot(str(OUT / f"slide-{book.stem[:2]}-{number:02}.png"))
            assert not wrong, f"{book.stem}, slide {number}: {wrong}"
            browser.execute_script("Reveal.next()")
        loaded = browser.execute_script("return performance.getEntriesByType('resource').map(r => r.name).filter(n => n.startsWith('http'))")
        assert not loaded, loaded
    assert len(counts) >= 4 and min(counts) > 10, counts
    return f"{sum(counts)} slides"


TESTS = [export, slides, lesson, slider, boxes, depths, hover, again, stop, interrupt, reload, restart, dark, complete, mistakes]


def main():
    prepare()
    wanted = [t for t in TESTS if t.__name__ in sys.argv[1:] or not sys.argv[1:]]
    with jupyterlab() as address, chromium() as browser:
        for test in wanted:
            said = test(browser, address)
            print(f"ok: {test.__doc__.rstrip('.')}{f' ({said})' if said else ''}", flush=True)
    print(f"Pictures of the pages are in {OUT.relative_to(ROOT)}/")


if __name__ == "__main__":
    main()
