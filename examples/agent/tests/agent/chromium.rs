//! Chromium, driven by the DevTools protocol over a pair of pipes: nothing listens, and no driver is needed.

use crate::agent::within;
use base64ct::{Base64, Encoding};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Names under which it is installed.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// A browser with one tab.
pub(crate) struct Chromium {
    _child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    next: u64,
    tab: String,
    profile: PathBuf,
}

/// Where it is installed, if it is.
fn binary() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let places = std::env::split_paths(&path).collect::<Vec<_>>();
    NAMES.iter().flat_map(|name| places.iter().map(move |place| place.join(name))).find(|path| path.is_file())
}

impl Chromium {
    /// Starts it; `None`, and a line that says so, where it is not installed. In CI it has to be.
    pub(crate) async fn start(profile: &Path) -> Option<Self> {
        let Some(binary) = binary() else {
            assert!(std::env::var_os("CI").is_none(), "Chromium is not installed");
            eprintln!("SKIPPED: pages in a browser: Chromium is not installed");
            return None;
        };
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>&1"]).arg(binary).args([
            "--headless=new",
            "--remote-debugging-pipe",
            "--no-sandbox",
            "--no-first-run",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
            // Another site's name for this machine.
            "--host-resolver-rules=MAP evil.example 127.0.0.1",
        ]);
        command.arg(format!("--user-data-dir={}", profile.display())).arg("about:blank");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let profile = profile.to_owned();
        let mut browser = Self { _child: child, to, from, next: 0, tab: String::new(), profile };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"})).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        browser.tab =
            browser.call("Target.attachToTarget", attach).await["sessionId"].as_str().unwrap().into();
        browser.call("Page.enable", json!({})).await;
        Some(browser)
    }

    /// Calls a method of the protocol, and returns what it answers.
    async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.next += 1;
        let mut message = json!({"id": self.next, "method": method, "params": parameters});
        if !self.tab.is_empty() {
            message["sessionId"] = self.tab.as_str().into();
        }
        let mut text = serde_json::to_vec(&message).unwrap();
        text.push(0);
        within(60, async {
            self.to.write_all(&text).await.unwrap();
            loop {
                let mut answer = Vec::new();
                self.from.read_until(0, &mut answer).await.unwrap();
                assert_eq!(answer.pop(), Some(0), "Chromium has ended");
                let answer: Value = serde_json::from_slice(&answer).unwrap();
                if answer["id"] == self.next {
                    assert!(answer["error"].is_null(), "{method}: {answer}");
                    return answer["result"].clone();
                }
            }
        })
        .await
    }

    /// Evaluates an expression in the page, and waits for it where it is a promise.
    pub(crate) async fn eval(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", parameters).await;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    pub(crate) async fn navigate(&mut self, url: &str) {
        self.call("Page.navigate", json!({"url": url})).await;
        self.loaded().await;
    }

    async fn loaded(&mut self) {
        self.until("document.readyState === 'complete'").await;
    }

    /// Waits until an expression is true. A page may be on its way meanwhile.
    pub(crate) async fn until(&mut self, expression: &str) {
        let begun = Instant::now();
        loop {
            let parameters = json!({"expression": expression, "returnByValue": true});
            if self.call("Runtime.evaluate", parameters).await["result"]["value"] == true {
                return;
            }
            if begun.elapsed() > Duration::from_secs(20) {
                let page = self.eval("location.href + ' ' + document.body.innerText").await;
                panic!("not within 20 s: {expression}: {page}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the page has this heading.
    pub(crate) async fn heading(&mut self, text: &str) {
        let text = json!(text);
        self.until(&format!(
            "document.readyState === 'complete' && document.querySelector('h1')?.innerText === {text}"
        ))
        .await;
    }

    /// Presses and releases a key.
    pub(crate) async fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            " " => (32, " "),
            "ArrowDown" => (40, ""),
            "ArrowRight" => (39, ""),
            other => panic!("the key {other}"),
        };
        let name = if key == " " { "Space" } else { key };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event =
                json!({"type": kind, "key": key, "code": name, "windowsVirtualKeyCode": code, "text": text});
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Types a text into what has the focus.
    pub(crate) async fn type_in(&mut self, text: &str) {
        for sign in text.chars() {
            for kind in ["keyDown", "keyUp"] {
                let text = if kind == "keyDown" { sign.to_string() } else { String::new() };
                let event = json!({"type": kind, "key": sign.to_string(), "text": text});
                self.call("Input.dispatchKeyEvent", event).await;
            }
        }
    }

    /// Goes on with the Tab key until what has the focus is what the selector says.
    pub(crate) async fn tab_to(&mut self, selector: &str) {
        for _ in 0..40 {
            self.press("Tab").await;
            if self.eval(&format!("document.activeElement.matches({})", json!(selector))).await == true {
                return;
            }
        }
        panic!("the keyboard does not reach {selector}");
    }

    async fn media(&mut self, scheme: &str, width: u32) {
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.call("Emulation.setEmulatedMedia", features).await;
        let metrics = json!({"width": width, "height": 760, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Keeps what the page looks like: light, dark, and on a screen of 320 px, where nothing goes beyond its side.
    pub(crate) async fn shots(&mut self, directory: &Path, name: &str) {
        for (scheme, width, end) in [
            ("dark", 320, "dark-320"),
            ("light", 320, "light-320"),
            ("dark", 960, "dark"),
            ("light", 960, "light"),
        ] {
            self.media(scheme, width).await;
            let reach = self.eval("document.documentElement.scrollWidth").await.as_u64().unwrap();
            assert!(reach <= u64::from(width), "{name}: {reach} px on {width}");
            let shot = self
                .call("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": true}))
                .await;
            let png = Base64::decode_vec(shot["data"].as_str().unwrap()).unwrap();
            std::fs::write(directory.join(format!("{name}-{end}.png")), png).unwrap();
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}
