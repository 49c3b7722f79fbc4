//! Libraries preloaded into a server, for faults that the kernel cannot inject.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::skip::is_here;

/// Builds one, for `LD_PRELOAD`, in this folder. `None` without a C compiler; the test then says
/// so.
pub fn library(folder: &Path, source: &str) -> Option<PathBuf> {
    let (file, library) = (folder.join("preload.c"), folder.join("preload.so"));
    fs::write(&file, source).expect("a source file");
    if !is_here("cc") {
        return None;
    }
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).args([&library, &file]);
    let compiled = compiler.output().expect("the compiler starts");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    Some(library)
}
