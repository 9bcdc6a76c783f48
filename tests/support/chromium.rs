//! A real browser, Chromium, told what to do over its debugging pipe: JSON with a zero byte behind each message. Nothing
//! listens, and no driver is needed.

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write, stderr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};
use std::{env, fs};

/// Names under which it is installed.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
/// Time for an answer, and for a page to be there.
const PATIENCE: Duration = Duration::from_secs(30);
/// Reads the pipe from descriptor 3 and writes it to 4, and has nothing else open.
const START: &str = "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null";

/// A browser with one page, which ends with it.
pub(crate) struct Chromium {
    child: Child,
    to: ChildStdin,
    from: Receiver<Vec<u8>>,
    session: Option<String>,
    last: u64,
    profile: PathBuf,
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-9", "--", &format!("-{}", self.child.id())])
            .stderr(Stdio::null())
            .status();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

impl Chromium {
    /// Starts it with an empty profile in a new directory; `None`, and a line that says so, where there is none on this
    /// machine. In CI there has to be.
    pub(crate) fn start(profile: &Path) -> Option<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let installed = |name: &&str| env::split_paths(&path).any(|dir| dir.join(name).is_file());
        let Some(program) = NAMES.into_iter().find(installed) else {
            assert!(env::var_os("CI").is_none(), "Chromium is not installed");
            // The harness keeps what is printed, but not what is written.
            let _ = writeln!(stderr(), "SKIPPED: pages in a browser: Chromium is not installed");
            return None;
        };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--remote-debugging-pipe",
            // Another site's name for this machine.
            "--host-resolver-rules=MAP evil.example 127.0.0.1",
        ];
        let mut command = Command::new("sh");
        command.args(["-c", START, "sh", program]).args(arguments);
        command.arg(format!("--user-data-dir={}", profile.display())).arg("about:blank");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn().unwrap();
        let (to, said) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let (sender, from) = channel();
        spawn(move || said.split(0).map_while(Result::ok).try_for_each(|message| sender.send(message)));
        let mut browser = Self { child, to, from, session: None, last: 0, profile: profile.into() };
        let target = browser.tell("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = browser.tell("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        Some(browser)
    }

    /// Has it do something, and gives what comes of it.
    #[track_caller]
    fn tell(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&message).unwrap();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        loop {
            let answer = self.from.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{method}: {error}"));
            let mut answer: Value = serde_json::from_slice(&answer).unwrap();
            if answer["id"] == self.last {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    /// Sets the size of the page, in CSS pixels, and whether people like it dark.
    pub(crate) fn look(&mut self, width: u32, dark: bool) {
        let size = json!({ "width": width, "height": 760, "deviceScaleFactor": 1, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", size);
        let features = json!({ "features": [
            { "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ] });
        self.tell("Emulation.setEmulatedMedia", features);
    }

    /// Has pages run no script of theirs.
    pub(crate) fn without_scripts(&mut self) {
        self.tell("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    }

    /// Goes to an address, and waits for the page.
    #[track_caller]
    pub(crate) fn go(&mut self, url: &str) {
        let gone = self.tell("Page.navigate", json!({ "url": url }));
        assert!(gone["errorText"].is_null(), "{url}: {gone}");
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    #[track_caller]
    fn evaluate(&mut self, expression: &str, promise: bool) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": promise });
        let mut answer = self.tell("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    /// The value of an expression.
    #[track_caller]
    pub(crate) fn ask(&mut self, expression: &str) -> Value {
        self.evaluate(expression, false)
    }

    /// What an expression promises.
    #[track_caller]
    pub(crate) fn promised(&mut self, expression: &str) -> Value {
        self.evaluate(expression, true)
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn until(&mut self, expression: &str) {
        let (begun, asked) = (Instant::now(), json!({ "expression": expression, "returnByValue": true }));
        // A page that goes has no answer.
        while self.tell("Runtime.evaluate", asked.clone())["result"]["value"] != json!(true) {
            assert!(
                begun.elapsed() < PATIENCE,
                "never: {expression}: {}",
                self.ask("location.href + ' ' + document.body?.innerText")
            );
            sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the page shows a text.
    #[track_caller]
    pub(crate) fn sees(&mut self, text: &str) {
        self.until(&format!("document.body.innerText.includes({})", json!(text)));
    }

    /// Waits until the page is there that has this heading.
    #[track_caller]
    pub(crate) fn heading(&mut self, text: &str) {
        let text = json!(text);
        self.until(&format!(
            "document.readyState === 'complete' && document.querySelector('h1')?.innerText === {text}"
        ));
    }

    /// Presses a key: `Tab`, `Enter`, ` ` or `ArrowDown`.
    pub(crate) fn press(&mut self, key: &str) {
        let (code, number, text) = match key {
            "Tab" => ("Tab", 9, ""),
            "Enter" => ("Enter", 13, "\r"),
            " " => ("Space", 32, " "),
            "ArrowDown" => ("ArrowDown", 40, ""),
            other => panic!("no key {other:?}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event = json!({
                "type": kind, "key": key, "code": code, "windowsVirtualKeyCode": number, "text": text,
            });
            self.tell("Input.dispatchKeyEvent", event);
        }
    }

    /// Types a text into what has the focus.
    pub(crate) fn type_in(&mut self, text: &str) {
        for key in text.chars().map(String::from) {
            self.tell("Input.dispatchKeyEvent", json!({ "type": "keyDown", "key": key, "text": key }));
            self.tell("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key }));
        }
    }

    /// Goes by the key Tab alone to an element that a selector matches and that has a text in it.
    #[track_caller]
    pub(crate) fn tab_to(&mut self, selector: &str, text: &str) {
        let (matched, has) = (json!(selector), json!(text));
        let there =
            format!("(e => e.matches({matched}) && e.innerText.includes({has}))(document.activeElement)");
        for _ in 0..100 {
            self.press("Tab");
            if self.ask(&there) == json!(true) {
                return;
            }
        }
        panic!("the keyboard does not get to {selector} with {text:?}");
    }

    /// Asserts that nothing is wider than the page, and that each element that can be used has a name.
    #[track_caller]
    pub(crate) fn is_in_order(&mut self) {
        let wide = self.ask(
            "[...document.querySelectorAll('body *')].filter(e => e.scrollWidth > 0 && \
             e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && \
             !e.closest('.hidden, thead, .skip')).map(e => e.outerHTML.slice(0, 200)).join('\\n')",
        );
        assert_eq!(wide, json!(""), "wider than the page");
        let fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
        assert_eq!(self.ask(fits), json!(true), "the page is wider than the screen");
        let nameless = self.ask(
            "[...document.querySelectorAll('a, button, input:not([type=hidden]), select, textarea')].filter(e => \
             !(e.innerText || '').trim() && !(e.labels && e.labels.length)).map(e => e.outerHTML).join('\\n')",
        );
        assert_eq!(nameless, json!(""), "without a name");
    }

    /// Asserts that the page is in order, dark and light, on a screen of 320 px and on one of 960 px, and keeps what it
    /// looks like in the directory that `HALFKEY_SCREENSHOTS` names, or below that of the build.
    #[track_caller]
    pub(crate) fn shots(&mut self, name: &str) {
        let directory = env::var_os("HALFKEY_SCREENSHOTS")
            .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots"), PathBuf::from);
        fs::create_dir_all(&directory).unwrap();
        for (width, dark) in [(320, true), (320, false), (960, true), (960, false)] {
            self.look(width, dark);
            self.is_in_order();
            let shot = self
                .tell("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true }));
            let png = Base64::decode_vec(shot["data"].as_str().unwrap()).unwrap();
            let scheme = if dark { "dark" } else { "light" };
            let file = format!("{}-{name}-{width}-{scheme}.png", env!("CARGO_PKG_NAME"));
            fs::write(directory.join(file), png).unwrap();
        }
    }
}
