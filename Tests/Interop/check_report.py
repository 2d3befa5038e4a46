"""The pages of `repconv report` in a browser: at the width of a desk and of a phone, in light and dark, nothing is
wider than the page, nothing is reported on the console or fetched, text has contrast, and something is drawn.

Chromium is asked over the pipe of its DevTools protocol, so that nothing beside it is needed. Without one the script
says so, and succeeds.

usage: check_report.py REPCONV [--chromium PROGRAM] [--keep FOLDER] [FILE ...]

  --keep FOLDER  leave the pages and the pictures of them there
  FILE ...       report these instead of the fixtures; of two files joined by a plus sign, the second is the training
                 checkpoint
"""
import argparse
import base64
import json
import os
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FIXTURES = os.path.join(ROOT, "Tests", "Fixtures")
FAMILIES = os.path.join(FIXTURES, "Families")

WIDTHS = {"desk": 1280, "phone": 390}
SCHEMES = ["light", "dark"]
SECONDS = 60

# Whatever of the page is wider than the window, of what does not scroll by itself; and text that is hard to read.
MEASURE = """
(() => {
  const wide = [], faint = [];
  const scrolls = e => e.closest('.scroll') && !e.matches('.scroll');
  for (const e of document.querySelectorAll('body *')) {
    const box = e.getBoundingClientRect();
    if (!scrolls(e) && (box.right > innerWidth + 0.5 || box.left < -0.5) && box.width > 0)
      wide.push(`${e.tagName}.${e.getAttribute('class') || ''} to ${box.right}`);
  }
  const luminance = c => {
    const [r, g, b] = c.match(/[\\d.]+/g).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (c !== 'rgba(0, 0, 0, 0)') return c;
    }
    return 'rgb(255, 255, 255)';
  };
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.closest('title')) continue;
    const svg = e.closest('svg'), style = getComputedStyle(e);
    const [a, b] = [luminance(svg ? style.fill : style.color), luminance(ground(svg || e))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.push(`${e.tagName}.${e.getAttribute('class') || ''} ${contrast.toFixed(2)}`);
  }
  return {
    wide: wide.slice(0, 5), faint: [...new Set(faint)].slice(0, 5),
    page: document.documentElement.scrollWidth, window: innerWidth,
    height: document.documentElement.scrollHeight,
    resources: performance.getEntriesByType('resource').map(r => r.name),
    scripts: document.scripts.length,
    unnamed: [...document.querySelectorAll('svg')].filter(s => !s.getAttribute('aria-label')).length,
    small: [...document.querySelectorAll('.drawing text')]
      .filter(t => t.getBoundingClientRect().height < 9).length,
    outside: [...document.querySelectorAll('.drawing text, .drawing rect')].filter(t => {
      const a = t.getBoundingClientRect(), b = t.closest('svg').getBoundingClientRect();
      return a.left < b.left - 1 || a.right > b.right + 1 || a.bottom > b.bottom + 1;
    }).length,
    overlapping: [...document.querySelectorAll('.drawing g')].flatMap(g => {
      const boxes = [...g.querySelectorAll('text')].map(t => t.getBoundingClientRect());
      return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b =>
        a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4));
    }).length,
  };
})()
"""


class Browser:
    """A Chromium without a window."""

    def __init__(self, program, folder):
        to_child, self.writer = os.pipe()
        self.reader, from_child = os.pipe()
        def connect():
            # What the protocol has them as. The copies keep either from taking the other's place.
            a, b = os.dup(to_child), os.dup(from_child)
            os.dup2(a, 3)
            os.dup2(b, 4)
        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
             "--disable-dev-shm-usage", f"--user-data-dir={folder}", "--remote-debugging-pipe", "about:blank"],
            preexec_fn=connect, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_child)
        os.close(from_child)
        self.buffer = b""
        self.count = 0
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.call(f"{domain}.enable")

    def message(self):
        end = time.monotonic() + SECONDS
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.reader], [], [], max(0, end - time.monotonic()))
            part = os.read(self.reader, 1 << 20) if ready else b""
            if not part:
                raise RuntimeError("the browser does not answer")
            self.buffer += part
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **parameters):
        self.count += 1
        request = {"id": self.count, "method": method, "params": parameters}
        if getattr(self, "session", None):
            request["sessionId"] = self.session
        os.write(self.writer, json.dumps(request).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") == self.count:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def wait_for(self, method):
        while True:
            for event in self.events:
                if event.get("method") == method:
                    return
            self.events.append(self.message())

    def show(self, path, width, scheme):
        """Loads a page; what the console says, what is fetched, and what was measured."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                  mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events = []
        self.call("Page.navigate", url=f"file://{path}")
        self.wait_for("Page.loadEventFired")
        result = self.call("Runtime.evaluate", expression=MEASURE, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        said = [e["params"] for e in self.events
                if e.get("method") in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")]
        asked = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return result["result"]["value"], said, asked

    def picture(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=min(height, 6000), deviceScaleFactor=1,
                  mobile=width < 600)
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def end(self):
        self.process.terminate()
        self.process.wait()


def colours(png):
    """How many colours a picture has, by the rows of its PNG as they are stored."""
    data, place = b"", 8
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place:place + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", png[place + 8:place + 18])
        if kind == b"IDAT":
            data += png[place + 8:place + 8 + length]
        place += length + 12
    size = {2: 3, 6: 4}[colour]
    rows, stride = zlib.decompress(data), width * size
    seen, before = set(), bytearray(stride)
    for y in range(height):
        kind, row = rows[y * (stride + 1)], bytearray(rows[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            left = row[i - size] if i >= size else 0
            corner = before[i - size] if i >= size else 0
            if kind == 1:
                row[i] = row[i] + left & 255
            elif kind == 2:
                row[i] = row[i] + before[i] & 255
            elif kind == 3:
                row[i] = row[i] + (left + before[i]) // 2 & 255
            elif kind == 4:
                p = left + before[i] - corner
                near = min((abs(p - left), 0, left), (abs(p - before[i]), 1, before[i]), (abs(p - corner), 2, corner))
                row[i] = row[i] + near[2] & 255
        before = row
        seen.update(bytes(row[i:i + 3]) for i in range(0, stride, size * 3))
        if len(seen) > 64:
            break
    return len(seen)


def check(browser, page, keep):
    """What is wrong with a page, in words."""
    wrong = []
    for name, width in WIDTHS.items():
        for scheme in SCHEMES:
            found, said, asked = browser.show(page, width, scheme)

            def expect(is_right, text):
                if not is_right:
                    wrong.append(f"{name}, {scheme}: {text}")
            expect(found["page"] <= found["window"] == width, f"{found['page']} wide in a window of {found['window']}")
            expect(not found["wide"], f"outside the window: {found['wide']}")
            expect(not found["faint"], f"hard to read: {found['faint']}")
            expect(not said, f"on the console: {said}")
            expect(asked == [f"file://{page}"] and not found["resources"], f"fetched: {asked} {found['resources']}")
            expect(found["scripts"] == 0, "it has scripts")
            expect(found["unnamed"] == 0, f"{found['unnamed']} pictures without a text")
            expect(found["small"] == 0, f"{found['small']} texts too small to read")
            expect(found["outside"] == 0, f"{found['outside']} parts of the drawing outside it")
            expect(found["overlapping"] == 0, f"{found['overlapping']} texts on top of each other")
            png = browser.picture(width, found["height"])
            if keep:
                with open(page[:-len(".html")] + f"-{name}-{scheme}.png", "wb") as file:
                    file.write(png)
            expect(colours(png) > 8, "the picture is blank")
    return wrong


def pages(arguments, folder):
    """What to report: the name of the page, the file, its training checkpoint."""
    if arguments.files:
        for given in arguments.files:
            path, _, train = given.partition("+")
            yield os.path.basename(path), path, train or None
        return
    train = os.path.join(FIXTURES, "PyTorch", "plain-train.pth")
    deploy = os.path.join(folder, "plain.rvd")
    subprocess.run([arguments.repconv, "fuse", train, deploy, "-q"], check=True)
    yield "deploy and train", deploy, train
    yield "not the same", deploy, os.path.join(FIXTURES, "PyTorch", "g2-train.pth")
    yield "train", train, None
    for name in [
        "mobileone/apple-s4-like-se/mobileone_unfused.pth.tar", "repvit/original-distilled/repvit_distill_300e.pth",
        "fastvit/apple-sa12-like/fastvit.pth.tar", "yolov9/gelan-tiny/best.pt",
    ]:
        yield name, os.path.join(FAMILIES, name), None
    yield "ONNX", os.path.join(FIXTURES, "ONNX", "repvit-deploy-timm.onnx"), None
    yield "no blocks", os.path.join(FIXTURES, "Cases", "no-blocks.pth"), None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repconv", type=os.path.abspath)
    parser.add_argument("--chromium")
    parser.add_argument("--keep", metavar="FOLDER", type=os.path.abspath)
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
    program = arguments.chromium or next(filter(None, map(shutil.which, names)), None)
    if not program:
        print(f"  skipped: none of {', '.join(names)} is installed")
        return 0
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        target = arguments.keep or folder
        os.makedirs(target, exist_ok=True)
        browser = Browser(program, os.path.join(folder, "profile"))
        try:
            for name, path, train in pages(arguments, folder):
                page = os.path.join(target, name.replace("/", "-").replace(" ", "-") + ".html")
                made = subprocess.run(
                    [arguments.repconv, "report", path] + ([train] if train else [])
                    + ["-o", page, "--force", "-q"], stderr=subprocess.PIPE, text=True)
                wrong = check(browser, page, arguments.keep) if made.returncode in (0, 1) else [made.stderr]
                print(f"  {'FAILED' if wrong else 'ok':6}  {name}")
                for text in wrong:
                    print(f"          {text}")
                failures += bool(wrong)
        finally:
            browser.end()
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
