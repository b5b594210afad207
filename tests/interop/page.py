"""
Drives the web page of 127.0.0.1:8500 in Chromium by WebDriver, chromedriver's
HTTP API on port 9515.  Prints "ok WHAT" and "no WHAT" lines.

page.py PIDFILE     the pid in it is of the web server that a check asks
"""
import http.client
import json
import os
import signal
import sys
import time

BASE = "http://127.0.0.1:8500"
DEADLINE_S = 40
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c"}
ATTACK = "<img src=x onerror=document.title='owned'>"


def call(method, path, body=None, port=9515):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    c.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
    r = c.getresponse()
    text = r.read()
    c.close()
    value = json.loads(text) if text else None
    if port != 9515:
        return value
    if r.status != 200:
        raise OSError("%s %s: %s" % (method, path, value["value"]["message"].split("\n")[0]))
    return value["value"]


def agent(method, path, body=None):
    return call(method, path, body, 8500)


class Browser:
    def __init__(self):
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                s = call("POST", "/session", {"capabilities": {"alwaysMatch": {
                    "goog:loggingPrefs": {"browser": "ALL"},
                    "goog:chromeOptions": {"args": [
                        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                        "--disable-background-networking", "--window-size=1200,900"]}}}})
                break
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        self.at = "/session/" + s["sessionId"]

    def go(self, where):
        call("POST", self.at + "/url", {"url": BASE + where})

    def js(self, code, *args):
        return call("POST", self.at + "/execute/sync", {"script": code, "args": list(args)})

    def keys(self, *names):
        actions = []
        for n in names:
            for k in [KEYS[n]] if n in KEYS else n:
                actions += [{"type": "keyDown", "value": k}, {"type": "keyUp", "value": k}]
        call("POST", self.at + "/actions", {"actions": [{"type": "key", "id": "k", "actions": actions}]})

    def size(self, width, height):
        call("POST", self.at + "/window/rect", {"width": width, "height": height})

    def log(self):
        return call("POST", self.at + "/se/log", {"type": "browser"})

    def text(self):
        return self.js("return document.getElementById('main').innerText")

    def scheme(self, name):
        call("POST", self.at + "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {
            "features": [{"name": "prefers-color-scheme", "value": name}]}})

    def quit(self):
        call("DELETE", self.at)


def told(ok, what, why=""):
    print("%s %s%s" % ("ok" if ok else "no", what, "" if ok or why == "" else ": %s" % why), flush=True)


def within(what, fn):
    deadline = time.monotonic() + DEADLINE_S
    got = None
    while time.monotonic() < deadline:
        got = fn()
        if got:
            return told(True, what)
        time.sleep(0.1)
    return told(False, what, "%r; the page: %r" % (got, b.text()[:600]))


# What somebody who cannot see, or has no mouse, needs of every view.
OUTLINE = """
const wrong = [], main = document.getElementById("main");
if (document.querySelectorAll("h1").length !== 1) wrong.push("h1");
if (document.documentElement.lang === "") wrong.push("lang");
for (const t of document.querySelectorAll("table")) {
	if (t.caption === null || t.caption.textContent.trim() === "") wrong.push("caption");
	for (const h of t.querySelectorAll("th")) if (!h.scope) wrong.push("scope");
}
for (const f of document.querySelectorAll("input, select, textarea"))
	if (f.labels.length === 0 || f.labels[0].textContent.trim() === "") wrong.push("label of " + f.id);
for (const e of document.querySelectorAll("a, button, summary"))
	if (e.innerText.trim() === "" && e.offsetParent !== null) wrong.push("name of " + e.outerHTML);
const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
if (new Set(ids).size !== ids.length) wrong.push("ids");
return wrong;
"""
# WCAG 2: every text's contrast with what is behind it is 4.5 or more.
CONTRAST = """
function parts(c) { return c.match(/[0-9.]+/g).map(Number); }
function light([r, g, b]) {
	const f = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
	return .2126 * f(r) + .7152 * f(g) + .0722 * f(b);
}
function behind(e) {
	for (; e !== null; e = e.parentElement) {
		const c = parts(getComputedStyle(e).backgroundColor);
		if (c.length === 3 || c[3] === 1) return c;
	}
	return [255, 255, 255];
}
const wrong = new Set();
for (const e of document.querySelectorAll("body *")) {
	if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim() !== "")) continue;
	const [a, b] = [light(parts(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
	if ((a + .05) / (b + .05) < 4.5) wrong.add(e.tagName + "." + e.className);
}
return [...wrong];
"""


def views():
    for view, word in (("services", "web"), ("nodes", "node2"), ("checks", "serf"), ("kv", "Keys"),
                       ("members", "alive"), ("servers", "gossipd"), ("services/web", "8080"), ("nodes/node2", "web")):
        b.go("/ui/#/" + view)
        b.js("location.reload()")
        within("%s is shown" % view, lambda: word.lower() in b.text().lower() and "Asking" not in b.text())
        for width, height, name in ((1200, 900, "a screen"), (360, 740, "a phone")):
            b.size(width, height)
            told(b.js("return document.documentElement.scrollWidth <= innerWidth"), "%s fits on %s" % (view, name))
        b.size(1200, 900)
        wrong = b.js(OUTLINE)
        told(wrong == [], "%s can be read aloud" % view, wrong)
        for scheme in "light", "dark":
            b.scheme(scheme)
            wrong = b.js(CONTRAST)
            told(wrong == [], "%s: contrast, %s" % (view, scheme), wrong)


def live(pid):
    b.go("/ui/#/services/web")
    within("an instance is passing", lambda: "passing" in b.text())
    b.js("window.mark = 1")
    os.kill(pid, signal.SIGTERM)
    within("its check fails, and the page says so by itself", lambda: "critical" in b.text())
    told(b.js("return window.mark") == 1, "without being loaded again")
    agent("PUT", "/v1/catalog/register", {"Node": "evil", "Address": "192.0.2.1", "Service": {
        "Service": "evil" + ATTACK, "Tags": [ATTACK]}, "Check": {
        "Name": ATTACK, "CheckID": "x", "ServiceID": "evil" + ATTACK, "Status": "critical", "Output": ATTACK}})
    for view in "services", "nodes/evil", "checks":
        b.go("/ui/#/" + view)
        within("what others wrote is text: %s" % view, lambda: "onerror" in b.text())
    told(b.js("return document.images.length === 0 && document.title !== 'owned'"), "and runs nothing")


def keys():
    agent("PUT", "/v1/kv/app/one", "first")
    b.go("/ui/#/kv/app/")
    within("a folder lists its keys", lambda: "one" in b.text())
    b.go("/ui/#/kv/app/one")
    area = "document.getElementById('value')"
    within("a value is shown", lambda: b.js("return %s.value" % area) == '"first"')
    agent("PUT", "/v1/kv/app/one", "second")
    within("its change, too", lambda: b.js("return %s.value" % area) == '"second"')
    b.js("%s.focus(); %s.select()" % (area, area))
    b.keys("mine")
    agent("PUT", "/v1/kv/app/one", "theirs")
    within("another's write is noticed", lambda: str(agent("GET", "/v1/kv/app/one")[0]["ModifyIndex"]) in b.text())
    told(b.js("return %s.value" % area) == "mine", "what is typed stays")
    b.keys("Tab", "Enter")
    within("and not written over unseen", lambda: "Not saved" in b.text())
    told(agent("GET", "/v1/kv/app/one")[0]["Value"] == "InRoZWlycyI=", "the key has what the other wrote")
    b.keys("Tab", "Enter")
    within("reloaded", lambda: b.js("return %s.value" % area) == '"theirs"')
    b.js("%s.focus(); %s.select()" % (area, area))
    b.keys("mine")
    b.keys("Tab", "Enter")
    within("saved by keyboard", lambda: "Saved" in b.text())
    told(agent("GET", "/v1/kv/app/one")[0]["Value"] == "bWluZQ==", "and so the key has it")
    agent("PUT", "/v1/kv/odd%20%C3%A9/%3Cb%3E%3F%23", "x")
    b.go("/ui/#/kv")
    within("a folder of any name", lambda: "odd é/" in b.text())
    b.js("[...document.querySelectorAll('main td a, main th a')].find(a => a.innerText === 'odd é/').click()")
    within("and its key", lambda: "<b>?#" in b.text())


def keyboard():
    b.go("/ui/#/nodes")
    within("nodes", lambda: "node2" in b.text())
    b.keys("/")
    b.keys("node2")
    within("/ and a word filter", lambda: "node1" not in b.text() and "node2" in b.text())
    b.keys("Escape")
    b.js("location.reload()")
    within("loaded", lambda: "node2" in b.text())
    b.keys("Tab")
    told("Skip" in b.js("return document.activeElement.innerText"), "the first stop of Tab skips the navigation")
    b.keys("Enter")
    told(b.js("return document.activeElement.id") == "main", "to the content")
    told(b.js("return document.querySelector('nav a[aria-current=page]').innerText") == "Nodes",
         "and the view is still the same, as the navigation says")


b = Browser()
try:
    views()
    keyboard()
    keys()
    live(int(open(sys.argv[1]).read()))
    foreign = b.js("return performance.getEntriesByType('resource').map(e => e.name)"
                   ".filter(n => !n.startsWith(location.origin))")
    told(foreign == [], "nothing is asked of another host", foreign)
    errors = [e["message"] for e in b.log() if e["level"] == "SEVERE"]
    told(errors == [], "no error in the browser's console", errors[:5])
finally:
    b.quit()
