//! Libraries that put themselves between a server and the C library: for what the kernel cannot be
//! made to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds one, for `LD_PRELOAD`, in this folder. `None`, and says why, where there is no C compiler.
pub fn library(folder: &Path, source: &str) -> Option<PathBuf> {
    let (file, library) = (folder.join("preload.c"), folder.join("preload.so"));
    fs::write(&file, source).expect("a source file");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).args([&library, &file]);
    match compiler.output() {
        Ok(compiled) if compiled.status.success() => Some(library),
        Ok(compiled) => panic!("{}", String::from_utf8_lossy(&compiled.stderr)),
        Err(error) => {
            println!("skipped: there is no C compiler: {error}");
            None
        }
    }
}
