//! A real headless browser, driven over a pipe by the DevTools protocol: tabs that a test types and
//! clicks in.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use base64::Engine;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::PATIENCE;

/// A browser. It ends with the test.
pub struct Browser {
    pipe: RefCell<Pipe>,
    process: Child,
    folder: TempDir,
}

struct Pipe {
    requests: File,
    answers: BufReader<File>,
    number: u64,
    /// What the pages complained of: exceptions, and what the browser logs.
    complaints: Vec<String>,
}

/// A profile of its own: cookies and storage that no other one sees.
pub struct Profile<'a> {
    browser: &'a Browser,
    id: String,
}

/// A tab.
pub struct Tab<'a> {
    browser: &'a Browser,
    target: String,
    session: String,
}

impl Browser {
    /// Starts it.
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let inside = |name: &str| folder.path().join(name);
        let (requests, answers) = (inside("requests"), inside("answers"));
        let made = Command::new("mkfifo").args([&requests, &answers]).status();
        assert!(made.expect("mkfifo runs").success());
        // It reads requests from descriptor 3, and writes answers to 4. It is killed after a while.
        let script = "exec timeout 1200 chromium \"$@\" 3<\"$0/requests\" 4>\"$0/answers\"";
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(folder.path()).args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--remote-debugging-pipe",
        ]);
        command.arg(format!("--user-data-dir={}", inside("profile").display()));
        // It leaves files there.
        command.env("TMPDIR", folder.path());
        let log = File::create(inside("log")).expect("a file");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().expect("the browser starts");
        let requests = OpenOptions::new().write(true).open(requests).expect("a pipe");
        let answers = BufReader::new(File::open(answers).expect("a pipe"));
        let pipe = Pipe { requests, answers, number: 0, complaints: Vec::new() };
        Self { pipe: RefCell::new(pipe), process, folder }
    }

    /// A new profile.
    pub fn profile(&self) -> Profile<'_> {
        let made = self.call(None, "Target.createBrowserContext", json!({}));
        Profile { browser: self, id: text(&made["browserContextId"]) }
    }

    /// What the pages complained of until now: exceptions of scripts, and what the browser logs about
    /// them, such as a breach of the policy.
    pub fn complaints(&self) -> Vec<String> {
        self.pipe.borrow().complaints.clone()
    }

    fn call(&self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        let answer = self.ask(session, method, parameters);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The whole answer, which is an error if the page has gone meanwhile.
    fn ask(&self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        let mut pipe = self.pipe.borrow_mut();
        pipe.number += 1;
        let number = pipe.number;
        let mut request = json!({"id": number, "method": method, "params": parameters});
        if let Some(session) = session {
            request["sessionId"] = session.into();
        }
        pipe.requests.write_all(format!("{request}\0").as_bytes()).expect("the browser reads");
        loop {
            let mut answer = Vec::new();
            pipe.answers.read_until(0, &mut answer).expect("the browser answers");
            assert_eq!(answer.pop(), Some(0), "the browser has ended: {method}");
            let answer: Value = serde_json::from_slice(&answer).expect("JSON");
            if answer["id"] == number {
                return answer;
            }
            pipe.complaints.extend(complaint(&answer));
        }
    }
}

/// What an event complains of.
fn complaint(event: &Value) -> Option<String> {
    let parameters = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(parameters["exceptionDetails"].to_string()),
        "Log.entryAdded" => {
            let entry = &parameters["entry"];
            Some(format!("{}: {} {}", text(&entry["source"]), text(&entry["text"]), entry["url"]))
        }
        _ => None,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Drop for Browser {
    fn drop(&mut self) {
        // `timeout` passes it on.
        if let Ok(pid) = i32::try_from(self.process.id())
            && let Some(pid) = rustix::process::Pid::from_raw(pid)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.process.wait();
        let _ = &self.folder;
    }
}

impl<'a> Profile<'a> {
    /// Lets pages do this without asking anybody.
    pub fn allow(&self, permission: &str) {
        let granted = json!({"permissions": [permission], "browserContextId": self.id});
        self.browser.call(None, "Browser.grantPermissions", granted);
    }

    /// A tab of this profile, with this page. It thinks that it has the focus.
    pub fn open(&self, url: &str) -> Tab<'a> {
        let browser = self.browser;
        let blank = json!({"url": "about:blank", "browserContextId": self.id});
        let target = text(&browser.call(None, "Target.createTarget", blank)["targetId"]);
        let attach = json!({"targetId": target, "flatten": true});
        let session = text(&browser.call(None, "Target.attachToTarget", attach)["sessionId"]);
        let tab = Tab { browser, target, session };
        for method in ["Page.enable", "Runtime.enable", "Log.enable"] {
            tab.call(method, json!({}));
        }
        tab.call("Emulation.setFocusEmulationEnabled", json!({"enabled": true}));
        tab.go(url);
        tab
    }
}

impl Tab<'_> {
    fn call(&self, method: &str, parameters: Value) -> Value {
        self.browser.call(Some(&self.session), method, parameters)
    }

    /// Visits a page.
    pub fn go(&self, url: &str) {
        self.call("Page.navigate", json!({"url": url}));
    }

    /// Lets scripts of the test run that the policy of the page would forbid.
    pub fn allow_any_script(&self) {
        self.call("Page.setBypassCSP", json!({"enabled": true}));
    }

    /// The bytes that the browser may keep for a site.
    pub fn limit_storage(&self, site: &str, bytes: u32) {
        let limit = json!({"origin": site, "quotaSize": bytes});
        self.call("Storage.overrideQuotaForOrigin", limit);
    }

    /// The size of the window.
    pub fn resize(&self, width: u32, height: u32) {
        self.resize_for(width, height, 1);
    }

    /// The size of the window in pixels of its stylesheet, each of which has `scale` times `scale`
    /// pixels of the screen: a reader has enlarged the page, or the screen is fine.
    pub fn resize_for(&self, width: u32, height: u32, scale: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size);
        self.wait(&format!("innerWidth === {width} && devicePixelRatio === {scale}"));
    }

    /// What a stylesheet can ask for, such as `prefers-reduced-motion`.
    pub fn prefer(&self, feature: &str, value: &str) {
        let features = json!({"features": [{"name": feature, "value": value}]});
        self.call("Emulation.setEmulatedMedia", features);
    }

    /// Runs a script before those of each page to come.
    pub fn run_first(&self, script: &str) {
        self.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": script}));
    }

    /// What the window shows, as a picture in the format WebP.
    pub fn picture(&self) -> Vec<u8> {
        let format = json!({"format": "webp", "quality": 90});
        let made = self.call("Page.captureScreenshot", format);
        base64::prelude::BASE64_STANDARD.decode(text(&made["data"])).expect("a picture")
    }

    /// What the browser measures about the page, such as `TaskDuration` in seconds.
    pub fn metric(&self, name: &str) -> f64 {
        self.call("Performance.enable", json!({}));
        let found = self.call("Performance.getMetrics", json!({}));
        let all = found["metrics"].as_array().expect("metrics");
        let one = all.iter().find(|metric| metric["name"] == name).expect("a metric");
        one["value"].as_f64().expect("a number")
    }

    /// What keeps people from installing the page.
    pub fn bars_to_installation(&self) -> Vec<String> {
        let found = self.call("Page.getInstallabilityErrors", json!({}));
        let errors = found["installabilityErrors"].as_array().expect("a list");
        let names = errors.iter().map(|error| text(&error["errorId"]));
        // A profile of a test is one.
        names.filter(|name| name != "in-incognito").collect()
    }

    /// Frees what the page has no use for any more.
    pub fn collect_garbage(&self) {
        self.call("HeapProfiler.collectGarbage", json!({}));
    }

    /// The value of an expression; a promise is waited for.
    pub fn value(&self, expression: &str) -> Value {
        let asked = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
            "userGesture": true,
        });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression holds. The page may be one that is still to come.
    pub fn wait(&self, expression: &str) {
        let begun = std::time::Instant::now();
        // The page itself looks, and lets its other work go on.
        let look = format!(
            "new Promise((done) => {{ const end = Date.now() + 500; const look = () => {{ \
             let holds = false; try {{ holds = Boolean({expression}); }} catch {{ }} \
             if (holds || Date.now() > end) done(holds); else setTimeout(look, 20); }}; look(); }})"
        );
        loop {
            let asked = json!({"expression": look, "awaitPromise": true, "returnByValue": true});
            // Without a value the page has gone meanwhile: another one comes.
            if self.browser.ask(Some(&self.session), "Runtime.evaluate", asked)["result"]["result"]
                ["value"]
                == true
            {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "never: {expression}\n{}\n{:#?}",
                self.value("document.body.innerText"),
                self.browser.complaints()
            );
        }
    }

    /// Types a text into the element that this selector finds, over what it has.
    pub fn fill(&self, selector: &str, text: &str) {
        let found = format!("document.querySelector({})", json!(selector));
        self.wait(&found);
        self.value(&format!("({found}).focus(); ({found}).select()"));
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Types a text where the focus is.
    pub fn type_in(&self, text: &str) {
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Presses a key, such as `Enter`.
    pub fn press(&self, key: &str) {
        self.press_with(key, 0);
    }

    /// Presses a key while others are held: 8 is Shift.
    pub fn press_with(&self, key: &str, held: u32) {
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "ArrowUp" => 38,
            "ArrowDown" => 40,
            "Tab" => 9,
            "End" => 35,
            _ => 0,
        };
        let mut event = json!({"type": "keyDown", "key": key, "code": key, "modifiers": held,
            "windowsVirtualKeyCode": code});
        if key == "Enter" {
            event["text"] = "\r".into();
        } else if key.len() == 1 {
            event["text"] = key.into();
        }
        self.call("Input.dispatchKeyEvent", event);
        self.call(
            "Input.dispatchKeyEvent",
            json!({"type": "keyUp", "key": key, "code": key,
            "windowsVirtualKeyCode": code}),
        );
    }

    /// Clicks the element that this selector finds.
    pub fn click(&self, selector: &str) {
        let found = format!("document.querySelector({})", json!(selector));
        self.wait(&found);
        self.value(&format!("{found}.click()"));
    }

    /// Closes it at once, as if it were killed: the page is not asked.
    pub fn close(self) {
        self.browser.call(None, "Target.closeTarget", json!({"targetId": self.target}));
    }
}
