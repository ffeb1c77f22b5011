"""A page of the console in Debian's Chromium."""

import contextlib
import json
import pathlib
import shutil
import threading

import grpc
import pytest

from conftest import tool
from waiting import PATIENCE, polled

try:
    from selenium import webdriver
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
except ImportError:
    webdriver = None

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MISSING = None if webdriver and CHROMIUM and DRIVER else (
    "needs chromium, chromium-driver and selenium: run 'make deps-test'")


def start_browser(folder):
    """Chromium without a window; the driver and the browser have the same version."""
    options = Options()
    options.binary_location = CHROMIUM
    # The tests run as a user without the rights that the sandbox needs.
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--no-first-run", "--window-size=1280,900", f"--user-data-dir={folder}",
                     "--disable-background-networking", "--disable-component-update"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(DRIVER))


class Page:
    """What a user sees and does."""

    def __init__(self, browser, address):
        self.browser, self.address = browser, address

    def open(self, path=""):
        self.browser.get(f"http://{self.address}/#/{path}")
        return self

    def text(self, selector="body"):
        """The text of the page, or of a part; empty without the part."""
        return self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def run(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def wait(self, part, selector="body", seconds=10 * PATIENCE):
        """Waits until a part of the page contains a text; returns the text."""
        return polled(lambda: self.text(selector), lambda text: part in text, seconds)

    def gone(self, selector, seconds=10 * PATIENCE):
        polled(lambda: len(self.all(selector)), lambda count: count == 0, seconds)

    def live(self):
        polled(lambda: self.text("#connection"), lambda text: text == "live", 15 * PATIENCE)
        return self

    def buttons(self, selector="main"):
        return self.run(
            "return [...document.querySelectorAll(arguments[0] + ' button')].map(b => b.innerText)",
            selector)

    def press(self, label, selector="main"):
        """Clicks the button with a label."""
        def click():
            for button in self.all(f"{selector} button"):
                with contextlib.suppress(StaleElementReferenceException):
                    if button.text == label and button.is_enabled():
                        self.run("arguments[0].scrollIntoView({block: 'center'})", button)
                        button.click()
                        return True
            return False
        polled(click, bool)

    def fill(self, selector, value):
        """Types into a control of the dialog."""
        (control,) = self.all(f"dialog {selector}")
        if control.tag_name == "select":
            control.send_keys(value)
        else:
            control.send_keys(Keys.CONTROL + "a" + Keys.NULL + (value or Keys.DELETE) + "\t")

    def confirm(self, label):
        """Confirms a dialog as soon as its dry run allows that."""
        self.press(label, "dialog")
        self.gone("dialog")

    def size(self, width, height=900, dark=False):
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def faults(self):
        """Violations of the content security policy, and errors of scripts."""
        return [
            entry["message"] for entry in self.browser.get_log("browser")
            if "Content Security Policy" in entry["message"] or "Uncaught" in entry["message"]
            or "Refused to" in entry["message"]]

    def requested(self):
        """The URLs that the page has requested."""
        events = [json.loads(entry["message"])["message"]
                  for entry in self.browser.get_log("performance")]
        return [event["params"]["request"]["url"] for event in events
                if event["method"] == "Network.requestWillBeSent"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if MISSING:
        pytest.skip(MISSING)
    browser = start_browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.quit()


@pytest.fixture
def open_page(browser):
    """Opens pages; at the end, no page may have violated its policy."""
    pages = []

    def open_page(server, path=""):
        page = Page(browser, server.admin)
        page.size(1280)
        pages.append(page)
        return page.open(path)

    yield open_page
    for page in pages:
        assert not page.faults()
    browser.get("about:blank")


@contextlib.contextmanager
def greetings(server, pause=0.01):
    """Real traffic: calls of the demo's service with different shard keys."""
    stop = threading.Event()

    def send():
        with grpc.insecure_channel(server.data) as channel:
            greet = channel.unary_unary("/helloworld.Greeter/SayHello")
            count = 0
            while not stop.wait(pause):
                count += 1
                with contextlib.suppress(grpc.RpcError):
                    greet(b"\x0a\x03Ada", timeout=5, metadata=[
                        ("x-serve-shard-key", f"user-{count % 500}")])

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def busy(demo):
    with greetings(demo):
        yield demo


def weights(server):
    listed = json.loads(tool(server, "endpoint", "list", "--json").stdout)["endpoints"]
    return {each["backend"]: each["weight"] for each in listed[0]["weights"]}


def revisions(server):
    return json.loads(tool(server, "history", "--json").stdout)["revisions"]


FILES = pathlib.Path(__file__).resolve().parents[2] / "Sources/Console/Files"
