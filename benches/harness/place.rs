//! The place where a benchmark runs, and the options that all benchmarks share.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

/// Descriptors other than connections. Our server reserves 128 of them for itself.
const OTHER_DESCRIPTORS: u64 = 160;

/// The options of every benchmark.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// The folder for the databases, on the disk to measure.
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_TARGET_TMPDIR"))]
    pub folder: PathBuf,
    /// Only check that the benchmark works, in a second or two.
    #[arg(long)]
    pub quick: bool,
    /// Given by `cargo bench`. `cargo test --all-targets` does not give it, which means `--quick`.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Place {
    pub fn is_quick(&self) -> bool {
        self.quick || !self.bench
    }

    /// A temporary folder, which is removed when the value is dropped.
    pub fn temporary(&self, prefix: &str) -> Result<TempDir> {
        fs::create_dir_all(&self.folder)?;
        Ok(tempfile::Builder::new().prefix(prefix).tempdir_in(&self.folder)?)
    }
}

/// The `chat-server` of this build.
pub fn chat_server() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_chat-server"))
}

/// The most connections that the limit on descriptors allows.
pub fn connections_max() -> usize {
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::from(u16::MAX));
    usize::try_from(most.saturating_sub(OTHER_DESCRIPTORS)).unwrap_or(usize::MAX)
}

/// Raises the limit on descriptors. Each connection needs one here and one in the server, which
/// inherits the limit.
pub fn raise_descriptor_limit(connections: usize) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let needed = connections as u64 + OTHER_DESCRIPTORS;
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(needed), maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised)
        .with_context(|| format!("{needed} file descriptors are not allowed (ulimit -Hn)"))
}
