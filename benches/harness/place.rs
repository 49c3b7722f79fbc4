//! Where a benchmark runs, and the options that all of them have.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

/// Descriptors for everything that is not a connection; of these our server keeps 128 for itself.
const OTHER_DESCRIPTORS: u64 = 160;

/// What every benchmark can be told.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// Where the databases are: on the disk that is to be measured.
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_TARGET_TMPDIR"))]
    pub folder: PathBuf,
    /// Only see that it runs, in a second or two.
    #[arg(long)]
    pub quick: bool,
    /// Given by `cargo bench`, and not by `cargo test --all-targets`, which means `--quick`.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Place {
    pub fn is_quick(&self) -> bool {
        self.quick || !self.bench
    }

    /// A folder that is removed when this is dropped.
    pub fn temporary(&self, prefix: &str) -> Result<TempDir> {
        fs::create_dir_all(&self.folder)?;
        Ok(tempfile::Builder::new().prefix(prefix).tempdir_in(&self.folder)?)
    }
}

/// The `chat-server` of this build.
pub fn chat_server() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_chat-server"))
}

/// The most connections that the limit on descriptors leaves room for.
pub fn connections_max() -> usize {
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::from(u16::MAX));
    usize::try_from(most.saturating_sub(OTHER_DESCRIPTORS)).unwrap_or(usize::MAX)
}

/// A connection is a descriptor, here and in the servers, which inherit the limit.
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
