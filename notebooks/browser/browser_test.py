"""The notebooks in a real browser: `make browser-test`.

It starts JupyterLab with the installed kernel, opens copies of notebooks in
Chromium, moves a slider of 01_the_idea and sees the picture change, presses Stop
in a training cell and finds the checkpoint. Pictures of the page, and what went
wrong if something did, are left in .out/browser/.
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

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / ".out" / "browser"
PAGES = OUT / "notebooks"  # the server's folder: copies, which it may save
RUN = OUT / "run"
GONE = (NoSuchElementException, StaleElementReferenceException)  # the page is being drawn anew
PATIENCE = 240  # seconds, for a machine that is busy

TRAINING = """%%
recipe := notebook.Must(notebook.Preset("quickstart", "epochs=500"))
notebook.Must(watch.Train(notebook.Context(), "RUN", recipe))"""


def prepare():
    shutil.rmtree(OUT, ignore_errors=True)
    PAGES.mkdir(parents=True)
    idea = json.loads((ROOT / "notebooks" / "01_the_idea.ipynb").read_text())
    for cell in idea["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = []  # what is seen is made now
    (PAGES / "01_the_idea.ipynb").write_text(json.dumps(idea))
    stop = {"cell_type": "code", "id": "train", "metadata": {}, "execution_count": None, "outputs": [],
            "source": TRAINING.replace("RUN", str(RUN))}
    (PAGES / "stop.ipynb").write_text(json.dumps({**idea, "cells": [stop]}))


@contextlib.contextmanager
def jupyterlab():
    """The server, and its address with the token."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    token = secrets.token_hex(16)
    environment = {k: v for k, v in os.environ.items() if k not in ("STOCHDEPTH_TINY", "STOCHDEPTH_HEADLESS")}
    command = [str(ROOT / ".venv/bin/python"), "-m", "jupyterlab", "--no-browser", "--allow-root", "--log-level=WARN",
               "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", f"--IdentityProvider.token={token}",
               f"--ServerApp.root_dir={PAGES}", "--LabApp.expose_app_in_browser=True"]
    with open(OUT / "jupyterlab.log", "w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            for _ in range(PATIENCE):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                if server.poll() is not None:
                    sys.exit(f"JupyterLab did not start: see {OUT / 'jupyterlab.log'}")
                time.sleep(1)
            yield lambda page: f"http://127.0.0.1:{port}/lab/tree/{page}?token={token}&reset"
        finally:
            server.terminate()
            server.wait(30)


@contextlib.contextmanager
def chromium():
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,1400"):
        options.add_argument(argument)
    options.binary_location = shutil.which("chromium") or sys.exit("chromium is missing: apt install chromium")
    driver = shutil.which("chromedriver") or sys.exit("chromedriver is missing: apt install chromium-driver")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield browser
    except BaseException:
        browser.save_screenshot(str(OUT / "failure.png"))
        raise
    finally:
        browser.quit()


def until(browser, what, condition):
    """The first true value of condition."""
    try:
        return WebDriverWait(browser, PATIENCE, poll_frequency=0.5, ignored_exceptions=GONE).until(lambda b: condition())
    except TimeoutException as e:
        raise SystemExit(f"FAILED: {what} did not happen in {PATIENCE} s; the page is in {OUT}/failure.png") from e


def open_and_run(browser, address):
    """Opens a notebook and runs all of its cells."""
    browser.get(address)
    until(browser, "the notebook opened with its kernel", lambda: browser.execute_script("""
        const panel = window.jupyterapp?.shell?.currentWidget;
        return panel?.sessionContext?.session?.kernel?.connectionStatus === "connected" && panel.content.widgets.length > 0"""))
    browser.execute_script("window.jupyterapp.commands.execute('notebook:run-all-cells')")


def visible(browser, selector):
    """The first element, scrolled into view, or None."""
    for element in browser.find_elements(By.CSS_SELECTOR, selector):
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        return element


def picture(browser):
    """The data of the picture in the slider's cell."""
    return browser.execute_script("""return document.querySelector("input[type=range][data-control]")
        ?.closest('.jp-Cell').querySelector('img')?.src""")


def move_slider(browser, address):
    open_and_run(browser, address("01_the_idea.ipynb"))
    until(browser, "the slider appeared", lambda: visible(browser, "input[type=range][data-control]"))
    before = until(browser, "the picture appeared", lambda: picture(browser))
    visible(browser, "input[type=range][data-control]")
    time.sleep(1)
    browser.save_screenshot(str(OUT / "slider-before.png"))
    visible(browser, "input[type=range][data-control]").send_keys(Keys.ARROW_LEFT * 4)
    until(browser, "the picture changed with the slider", lambda: picture(browser) not in (None, before))
    value = browser.find_element(By.CSS_SELECTOR, "input[type=range][data-control] + output").text
    assert value == "0.3", f"the slider shows {value}"
    time.sleep(1)
    browser.save_screenshot(str(OUT / "slider-after.png"))
    visible(browser, "button[data-control=done]").click()
    until(browser, "the controls went away with Done", lambda: not browser.find_elements(By.CSS_SELECTOR, "input[data-control]"))
    print("ok: a slider moved, the picture changed")


def stop_training(browser, address):
    open_and_run(browser, address("stop.ipynb"))
    button = until(browser, "the Stop button appeared", lambda: visible(browser, "button[data-control=stop]"))
    until(browser, "training began", lambda: "loss" in browser.find_element(By.CSS_SELECTOR, ".jp-OutputArea").text)
    browser.save_screenshot(str(OUT / "training.png"))
    button.click()
    until(browser, "the cell said that it stopped", lambda: "stopped and saved at step" in browser.find_element(By.CSS_SELECTOR, ".jp-Notebook").text)
    browser.save_screenshot(str(OUT / "stopped.png"))
    checkpoints = list((RUN / "checkpoint").glob("*/position.json"))
    assert checkpoints, "there is no checkpoint"
    result = json.loads((RUN / "result.json").read_text())
    assert result["status"] == "stopped" and result["steps"] > 0, result
    print(f"ok: training stopped at step {result['steps']}, its checkpoint is there")


def main():
    prepare()
    with jupyterlab() as address, chromium() as browser:
        move_slider(browser, address)
        stop_training(browser, address)
    print(f"Pictures of the pages are in {OUT.relative_to(ROOT)}/")


if __name__ == "__main__":
    main()
