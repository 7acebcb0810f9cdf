"""What a person does: open the VRE, log in, choose an image, run a cell. Each page is photographed."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import Locator, Page, expect

LAB_SECONDS = 150
_TRIES = 6
expect.set_options(timeout=120_000)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Login:
    """What a person types."""

    user: str
    password: str = field(repr=False)


@dataclass
class Album:
    """A folder of numbered screenshots."""

    folder: Path
    taken: int = 0

    def take(self, page: Page, name: str) -> Path:
        """Photograph the page as it is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.taken += 1
        path = self.folder / f"{self.taken:02}-{name}.png"
        page.screenshot(path=path)
        return path


def log_in(page: Page, url: str, login: Login, album: Album) -> None:
    """From the VRE's landing page through the provider's login form, back to the hub."""
    page.goto(url)
    sign_in = page.get_by_role("link", name="Log in")
    expect(sign_in).to_be_visible()
    album.take(page, f"{login.user}-landing-page")
    sign_in.click()
    expect(page.locator("#username")).to_be_visible()
    album.take(page, f"{login.user}-keycloak")
    page.locator("#username").fill(login.user)
    page.locator("#password").fill(login.password)
    page.locator("#kc-login").click()


def choose_image(page: Page, album: Album, name: str = "") -> None:
    """On the spawn page: pick an image by the name that people read (the first when empty), and start.

    Somebody whose notebook still runs lands in it, and ends it first.
    """
    start = page.locator("form#spawn_form [type=submit]")
    lab = page.locator("#jp-top-panel, #jp-main-dock-panel").first
    expect(start.or_(lab).first).to_be_visible()
    if lab.is_visible():
        page.goto(urljoin(page.url, "/hub/home"))
        page.locator("#stop").click()
        expect(page.locator("#stop")).to_be_hidden()
        page.goto(urljoin(page.url, "/hub/spawn"))
        expect(start).to_be_visible()
    choice = page.locator("#kubespawner-profiles-list label", has_text=name).first
    expect(choice).to_be_visible()
    choice.click()
    album.take(page, "spawn-page")
    start.click()


def reach_lab(page: Page, album: Album) -> None:
    """Wait on the progress page until JupyterLab is open."""
    progress = page.get_by_text("Your server is starting up")
    launcher = page.locator(".jp-Launcher").first
    lab = page.locator("#jp-main-dock-panel")
    expect(progress.or_(lab).first).to_be_visible()
    if progress.is_visible():
        album.take(page, "starting")
    expect(lab).to_be_visible(timeout=LAB_SECONDS * 1000)
    # JupyterLab opens what was open the last time, with questions about its kernel; only when that was nothing
    # it opens the launcher.
    expect(launcher.or_(page.locator(".jp-NotebookPanel, .jp-Dialog").first).first).to_be_visible()
    if not launcher.is_visible():
        page.goto(re.sub(r"(/user/[^/]+/lab).*", r"\1?reset", page.url))
    expect(launcher).to_be_visible()
    album.take(page, "jupyterlab")


def into_lab(page: Page, url: str, login: Login, album: Album) -> None:
    """All the way from the landing page to JupyterLab, with the image that stands first."""
    log_in(page, url, login, album)
    choose_image(page, album)
    reach_lab(page, album)


def run_cell(page: Page, code: str, album: Album) -> str:
    """Open a new notebook, run `code` in a cell, give what it prints."""
    page.locator('.jp-LauncherCard[data-category="Notebook"]').first.click()
    notebook = page.locator(".jp-NotebookPanel:visible")
    expect(notebook.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]')).to_be_visible()
    output = notebook.locator(".jp-OutputArea-output").first
    for _ in range(_TRIES):
        if _type_and_run(page, notebook.locator(".jp-CodeCell .cm-content").last, code) and _appears(output):
            break
    expect(output).to_be_visible()
    album.take(page, "cell")
    return output.inner_text().strip()


def save_and_open_again(page: Page, meanwhile: Callable[[], None], *, named: bool = False) -> None:
    """Save the notebook that is open, and reload the page when what happens `meanwhile` is over.

    named: it was saved before, and JupyterLab asks for no name any more.

    JupyterLab may have lost its kernel: an answer of 502 on the way is to it the kernel's death. The page that
    is loaded again finds the kernel that runs."""
    page.keyboard.press("Control+S")
    if not named:
        page.locator(".jp-Dialog .jp-mod-accept").click()
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    meanwhile()
    page.reload()
    notebook = page.locator(".jp-NotebookPanel:visible")
    expect(notebook.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]')).to_be_visible()


def run_another(page: Page, code: str) -> str:
    """Run `code` in the last cell of the notebook that is open, give what it prints."""
    notebook = page.locator(".jp-NotebookPanel:visible")
    outputs = notebook.locator(".jp-OutputArea-output")
    before, seen = -1, outputs.count()
    while seen != before:  # a page that was loaded again shows those of before one after the other
        page.wait_for_timeout(1000)
        before, seen = seen, outputs.count()
    for _ in range(_TRIES):
        cell = notebook.locator(".jp-CodeCell .cm-content").last
        if _type_and_run(page, cell, code) and _appears(outputs.nth(before)):
            break
    expect(outputs).to_have_count(before + 1)
    return outputs.last.inner_text().strip()


def _type_and_run(page: Page, cell: Locator, code: str) -> bool:
    """Type as a person does, who looks whether it is there: JupyterLab, still at its layout, may swallow it."""
    cell.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(code)
    page.wait_for_timeout(500)
    if cell.inner_text().strip() != code:
        return False
    page.keyboard.press("Shift+Enter")
    return True


def _appears(element: Locator) -> bool:
    try:
        expect(element).to_be_visible(timeout=20_000)
    except AssertionError:
        return False
    return True


def is_refused(page: Page, user: str, album: Album) -> str:
    """Give the text of the hub's page for somebody who may not come in."""
    message = page.locator("div.error")
    expect(message).to_contain_text("403")
    album.take(page, f"{user}-refused")
    return message.inner_text()


def whole(page: Page, url: str, login: Login, album: Album, say: Say) -> str:
    """The journey of somebody who may come in, up to the output of her first cell."""
    say("logging in")
    log_in(page, url, login, album)
    say("choosing an image")
    choose_image(page, album)
    say("waiting for JupyterLab")
    reach_lab(page, album)
    say("running a cell")
    return run_cell(page, "import os; print('Hello from', os.environ['JUPYTERHUB_USER'])", album)
