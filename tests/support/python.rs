//! Python with packages from PyPI, in `target/python`. `.ci/run` installs them.

use std::path::Path;
use std::process::{Command, Stdio};

use super::skip::skip;

/// The packages that only some tests need: the name to import, and what `pip` installs.
pub const PACKAGES: &[(&str, &str)] = &[
    ("httpx_sse", "httpx-sse==0.4.3 httpx==0.28.1"),
    ("mcp", "mcp==2.3.0"),
    ("openapi_spec_validator", "openapi-spec-validator==0.9.0"),
    ("schemathesis", "schemathesis==4.32.5"),
    ("websockets", "websockets==17.4"),
];

/// Python, if it has this package. If not, the test is skipped and says so.
///
/// # Panics
/// If it is missing and no test may be skipped, or it is not in [`PACKAGES`].
#[track_caller]
pub fn with(package: &str) -> Option<Command> {
    let known = PACKAGES.iter().find(|(name, _)| *name == package);
    let (_, install) = known.unwrap_or_else(|| panic!("{package} is not in PACKAGES"));
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python");
    let import = ["-W", "ignore", "-c", &format!("import {package}")];
    let found = Command::new(&python).args(import).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        let mut command = Command::new(python);
        // A proxy of this machine's user is none of the test's.
        for variable in ["http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(variable).env_remove(variable.to_uppercase());
        }
        return Some(command);
    }
    let make = "python3 -m venv target/python";
    let remedy = format!("{make} && target/python/bin/pip install {install}");
    skip(&format!("Python's {package}"), &remedy);
    None
}
