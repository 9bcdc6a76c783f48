//! A real browser, Chromium, told what to do over its debugging pipe: JSON with a zero byte behind each message.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, fs};

/// Time for a page to be there.
const PATIENCE: Duration = Duration::from_secs(30);
/// Reads the pipe from descriptor 3 and writes it to 4, and has nothing else open.
const START: &str = "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null";

/// A browser with one page, which ends with it.
pub struct Chromium {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
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
    /// Starts it with an empty profile in a new directory; `None` where there is none on this machine.
    pub fn start(profile: &Path) -> Option<Self> {
        let program = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
            env::split_paths(&env::var_os("PATH").unwrap()).any(|dir| dir.join(name).is_file())
        })?;
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--remote-debugging-pipe",
        ];
        let mut command = Command::new("sh");
        command.args(["-c", START, "sh", program]).args(arguments);
        command.arg(format!("--user-data-dir={}", profile.display())).arg("about:blank");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut browser = Self { child, to, from, session: None, last: 0, profile: profile.into() };
        let target = browser.tell("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = browser.tell("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        Some(browser)
    }

    /// Has it do something, and gives what comes of it.
    pub fn tell(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&message).unwrap();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        loop {
            let mut answer = Vec::new();
            self.from.read_until(0, &mut answer).unwrap();
            answer.pop().expect("the browser has ended");
            let mut answer: Value = serde_json::from_slice(&answer).unwrap();
            if answer["id"] == self.last {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    /// Sets the size of the page, in CSS pixels, and whether people like it dark.
    pub fn look(&mut self, width: u32, height: u32, dark: bool) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", size);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.tell("Emulation.setEmulatedMedia", features);
    }

    /// Has pages run no script of theirs.
    pub fn without_scripts(&mut self) {
        self.tell("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    }

    /// Goes to an address, and waits for the page.
    pub fn go(&mut self, url: &str) {
        let gone = self.tell("Page.navigate", json!({ "url": url }));
        assert!(gone["errorText"].is_null(), "{url}: {gone}");
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// The value of an expression.
    pub fn ask(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        self.tell("Runtime.evaluate", asked)["result"]["value"].take()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn until(&mut self, expression: &str) {
        let begun = Instant::now();
        // A page that goes has no answer.
        while self.ask(expression) != json!(true) {
            assert!(
                begun.elapsed() < PATIENCE,
                "never: {expression}: {}",
                self.ask("document.body.innerText")
            );
            sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the page shows a text.
    #[track_caller]
    pub fn sees(&mut self, text: &str) {
        self.until(&format!("document.body.innerText.includes({})", json!(text)));
    }

    /// Presses a key: `Tab`, `Enter` or ` `.
    pub fn press(&mut self, key: &str) {
        let (code, number, text) = match key {
            "Tab" => ("Tab", 9, ""),
            "Enter" => ("Enter", 13, "\r"),
            " " => ("Space", 32, " "),
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

    /// Goes to a control by the key Tab alone, of which `matches` is true (`e` is the element).
    #[track_caller]
    pub fn tab_to(&mut self, matches: &str) {
        for _ in 0..100 {
            self.press("Tab");
            if self.ask(&format!("(e => Boolean({matches}))(document.activeElement)")) == json!(true) {
                return;
            }
        }
        panic!("the keyboard does not get to {matches}");
    }

    /// Asserts that nothing is wider than the page, and that each element that can be used has a name.
    #[track_caller]
    pub fn is_in_order(&mut self) {
        let wide = self.ask(
            "[...document.querySelectorAll('body *')].filter(e => e.scrollWidth > 0 && \
             e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && \
             !e.closest('.hidden, thead, .skip')).map(e => e.outerHTML.slice(0, 200)).join('\\n')",
        );
        assert_eq!(wide, json!(""), "wider than the page");
        let nameless = self.ask(
            "[...document.querySelectorAll('a, button, input:not([type=hidden]), select, textarea')].filter(e => \
             !(e.innerText || '').trim() && !(e.labels && e.labels.length)).map(e => e.outerHTML).join('\\n')",
        );
        assert_eq!(nameless, json!(""), "without a name");
    }

    /// Writes what the page looks like, where the environment says a directory for that (`HALFKEY_SHOTS`).
    pub fn shoot(&mut self, name: &str) {
        let Some(directory) = env::var_os("HALFKEY_SHOTS") else { return };
        let shot = self.tell("Page.captureScreenshot", json!({ "captureBeyondViewport": true }));
        let name = Path::new(&directory).join(format!("{name}.png.base64"));
        fs::write(name, shot["data"].as_str().unwrap()).unwrap();
    }
}
