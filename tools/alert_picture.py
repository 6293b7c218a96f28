"""The README's picture of an alert: the payload that Slack would get, drawn by Chromium.

`python -m tools.alert_picture [FILE]` (`make pictures`) writes docs/pictures/alert.png.
Slack's own blocks decide what stands there; only letters and colours are this file's.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from detector.app.context import AppContext
from detector.cli import run
from detector.render.message import STYLES

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "pictures" / "alert.png"
_SNAPSHOT = ROOT / "tests" / "fixtures" / "snapshots" / "regular-session.json"
_WRONG = {"stuck_exits": 1, "pending_orders": 3}
_HOOK = "https://hooks.slack.com/services/T00000000/B00000000/picture"
_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_STYLE = """
body { margin: 0; padding: 16px 20px }
body { font: 15px/1.46 Lato, "DejaVu Sans", sans-serif; color: #1d1c1d; background: #fff }
.from { font-weight: 900 }
.app { font-size: 10px; background: #ddd; border-radius: 2px; padding: 1px 3px; color: #616061 }
h1 { font-size: 18px; margin: 2px 0 } .context { font-size: 12px; color: #616061; margin: 2px 0 }
.attachment { border-left: 4px solid; border-radius: 4px; padding: 2px 0 2px 12px; margin: 8px 0 }
.section { margin: 6px 0; white-space: pre-line }
"""


def build_payload() -> dict[str, Any]:
    """Return the alert's payload as a dry run prints it; raises SystemExit where that fails."""
    document = json.loads(_SNAPSHOT.read_text(encoding="utf-8"))
    document["status_v3"].update(_WRONG)
    taken_at = datetime.fromisoformat(document["taken_at"]).astimezone(UTC)
    stdout, stderr = io.BytesIO(), io.StringIO()
    stdin = io.BytesIO(json.dumps(document).encode())
    app = AppContext({"AEGIS_PT_SLACK_WEBHOOK_URL": _HOOK}, lambda: taken_at, stdin, stdout, stderr)
    if run(app, ["run", "--dry-run", "--quiet", "--snapshot", "-"]):
        raise SystemExit(stderr.getvalue())
    text = stdout.getvalue().decode()
    payload: dict[str, Any] = json.JSONDecoder().raw_decode(text, text.index("{"))[0]
    return payload


def render_page(payload: dict[str, Any]) -> str:
    """Return the payload as a page of HTML, each block as Slack shows its kind."""
    parts = [*_render_blocks(payload["blocks"])]
    for attachment in payload["attachments"]:
        blocks = "".join(_render_blocks(attachment["blocks"]))
        parts.append(f'<div class="attachment" style="border-color: {attachment["color"]}">{blocks}</div>')
    head = '<span class="from">pt-health</span> <span class="app">APP</span>'
    return (
        f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style>{head}{"".join(parts)}'
        "<script>document.title = document.documentElement.scrollHeight</script>"
    )


def _render_blocks(blocks: list[dict[str, Any]]) -> Iterator[str]:
    for block in blocks:
        if block["type"] == "header":
            yield f"<h1>{_draw_marks(escape(block['text']['text']))}</h1>"
        elif block["type"] == "context":
            yield from (f'<div class="context">{_render_mrkdwn(e["text"])}</div>' for e in block["elements"])
        elif block["type"] == "section":
            yield f'<div class="section">{_render_mrkdwn(block["text"]["text"])}</div>'
        else:
            raise SystemExit(f"no picture of a block of the type {block['type']}")


def _render_mrkdwn(text: str) -> str:
    """Return Slack's markup as HTML; its text is escaped already as HTML needs it."""
    linked = re.sub(r"<(https?://[^|>]+)\|([^>]+)>", r'<a href="\1">\2</a>', text)
    return _draw_marks(re.sub(r"(?<!\w)\*([^*\n]+)\*(?!\w)", r"<b>\1</b>", linked))


def _draw_marks(text: str) -> str:
    """Return the text with each mark as a dot in its colour: few fonts of a server have emoji."""
    for style in STYLES.values():
        text = text.replace(style.mark, f'<span style="color: {style.colour}">●</span>')
    return text


def write_picture(page: str, target: Path) -> None:
    """Draw the page at twice its size, as high as it is; raises SystemExit without a browser."""
    names = [os.environ.get("CHROMIUM", ""), *_BROWSERS]
    browser = next((path for name in names if name and (path := shutil.which(name))), None)
    if browser is None:
        raise SystemExit("no Chromium here: apt-get install chromium, or name one in CHROMIUM")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "alert.html"
        source.write_text(page, encoding="utf-8")
        common = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=760,100"]
        dom = subprocess.run(
            [*common, "--dump-dom", str(source)], capture_output=True, text=True, check=True, timeout=120
        ).stdout
        height = re.search(r"<title>(\d+)</title>", dom)
        size = f"--window-size=760,{height[1] if height else 400}"
        picture = ["--hide-scrollbars", "--force-device-scale-factor=1.5", f"--screenshot={target}"]
        subprocess.run(
            [*common[:-1], size, *picture, str(source)], capture_output=True, check=True, timeout=120
        )


if __name__ == "__main__":
    write_picture(render_page(build_payload()), Path(sys.argv[1]).resolve() if sys.argv[1:] else PICTURE)
