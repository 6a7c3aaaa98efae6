//! Debian's `chromium`, unpacked by `cargo xtask chromium`, spoken to through the DevTools protocol.
//!
//! The browser reads commands from one pipe and answers on another: no port is open, and nobody else can take part. It
//! can reach nothing but this machine.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::serve::client::{PATIENCE, eventually};
use crate::support::{target, unpacked};

/// From one look at a text to the next.
const LOOK: Duration = Duration::from_millis(20);
/// How long a browser may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(5);

/// The program, which is fetched if it is not there.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| unpacked("chromium", "chromium/chromium"))
}

/// A browser that ends with the test, and one page in it.
pub(crate) struct Browser {
    child: Child,
    commands: RefCell<ChildStdin>,
    messages: Receiver<Value>,
    /// What the page has told without being asked.
    events: RefCell<Vec<Value>>,
    latest: Cell<u64>,
    session: String,
    _folder: TempDir,
}

impl Browser {
    /// With an empty profile, at an empty page of 1280 by 800.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        // Commands and answers go by the descriptors 3 and 4.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >&2"]).arg(program());
        command
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--remote-debugging-pipe", "--no-first-run", "--disable-breakpad", "--disable-extensions"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .env("HOME", folder.path())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn().unwrap();
        let commands = RefCell::new(child.stdin.take().unwrap());
        let answers = BufReader::new(child.stdout.take().unwrap());
        let (to, messages) = channel();
        std::thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                if to.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            commands,
            messages,
            events: RefCell::default(),
            latest: Cell::default(),
            session: String::new(),
            _folder: folder,
        };
        let page = browser.call("Target.createTarget", json!({"url": "about:blank"}))["targetId"].take();
        let attached = browser.call("Target.attachToTarget", json!({"targetId": page, "flatten": true}));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.resize(1280, 800);
        browser
    }

    fn post(&self, method: &str, parameters: Value) -> std::io::Result<u64> {
        let id = self.latest.get() + 1;
        self.latest.set(id);
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.commands.borrow_mut().write_all(&bytes)?;
        Ok(id)
    }

    /// Sends a command and waits for its result.
    #[track_caller]
    pub(crate) fn call(&self, method: &str, parameters: Value) -> Value {
        let id = self.post(method, parameters).unwrap();
        loop {
            let mut message = match self.messages.recv_timeout(PATIENCE) {
                Ok(message) => message,
                Err(error) => panic!("{method}: {error}"),
            };
            if message["id"] == json!(id) {
                assert_eq!(message.get("error"), None, "{method}");
                return message["result"].take();
            }
            if message.get("id").is_none() {
                self.events.borrow_mut().push(message);
            }
        }
    }

    /// Goes to a page and waits until it has run.
    pub(crate) fn open(&self, url: &str) {
        self.call("Page.navigate", json!({"url": url}));
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub(crate) fn evaluate(&self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut outcome = self.call("Runtime.evaluate", parameters);
        assert_eq!(outcome.get("exceptionDetails"), None, "{expression}");
        outcome["result"]["value"].take()
    }

    /// The text of the first element that a selector finds; empty where there is none, or it is not shown.
    #[track_caller]
    pub(crate) fn text(&self, selector: &str) -> String {
        let value = self.evaluate(&format!(
            "[document.querySelector({selector:?})].map((it) => it?.checkVisibility() ? it.innerText : '')[0]"
        ));
        // Narrow no-break spaces stand between figures and units.
        value.as_str().unwrap().replace('\u{202f}', " ")
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn until(&self, expression: &str) {
        eventually(|| (self.evaluate(&format!("Boolean({expression})")) == json!(true)).then_some(()));
    }

    /// Waits until the text of an element is as wanted.
    #[track_caller]
    pub(crate) fn until_text(&self, selector: &str, is_wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.text(selector);
            if is_wanted(&text) {
                return text;
            }
            assert!(Instant::now() < deadline, "{selector} did not become so; it is {text:?}");
            std::thread::sleep(LOOK);
        }
    }

    /// Gives the window another size, in CSS pixels.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        let parameters =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.call("Emulation.setDeviceMetricsOverride", parameters);
    }

    /// What the user prefers: `light` or `dark`.
    pub(crate) fn prefer(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Presses a key that has no letter.
    pub(crate) fn press(&self, key: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let mut parameters =
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            if key == "Enter" && kind == "keyDown" {
                parameters["text"] = json!("\r");
            }
            self.call("Input.dispatchKeyEvent", parameters);
        }
    }

    /// Types a text where the focus is.
    pub(crate) fn type_text(&self, text: &str) {
        self.call("Input.insertText", json!({"text": text}));
    }

    /// All nodes of the accessibility tree that are not ignored: role and name.
    pub(crate) fn accessibility_tree(&self) -> Vec<(String, String)> {
        let tree = self.call("Accessibility.getFullAXTree", json!({}));
        let nodes = tree["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] == json!(false));
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().replace('\u{202f}', " ");
        nodes.map(|node| (text(&node["role"]), text(&node["name"]))).collect()
    }

    /// Leaves what the window shows as `<target>/dashboard/NAME.png`.
    pub(crate) fn screenshot(&self, name: &str) {
        let shot = self.call("Page.captureScreenshot", json!({"format": "png"}));
        let image = BASE64_STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        let folder = target().join("dashboard");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), image).unwrap();
    }

    fn told(&self, method: &str) -> Vec<Value> {
        let events = self.events.borrow();
        events
            .iter()
            .filter(|event| event["method"] == json!(method))
            .map(|event| event["params"].clone())
            .collect()
    }

    /// Whatever the console and the log of the page hold as an error or a warning.
    pub(crate) fn complaints(&self) -> Vec<Value> {
        // What was told before it is here by then.
        self.evaluate("0");
        let is_bad = |level: &Value| [json!("error"), json!("warning")].contains(level);
        let console = self.told("Runtime.consoleAPICalled").into_iter().filter(|call| is_bad(&call["type"]));
        let log = self.told("Log.entryAdded").into_iter().filter(|told| is_bad(&told["entry"]["level"]));
        self.told("Runtime.exceptionThrown").into_iter().chain(console).chain(log).collect()
    }

    /// The addresses of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        let sent = self.told("Network.requestWillBeSent");
        sent.iter().map(|sent| sent["request"]["url"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.session.clear();
        if self.post("Browser.close", json!({})).is_ok() {
            // Its pipe is at its end when all that it has started has ended.
            while !matches!(
                self.messages.recv_timeout(FAREWELL),
                Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout)
            ) {}
        }
        // Its group is that of our child, which has not been waited for yet: nobody else can have its number.
        let _ = killpg(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}
