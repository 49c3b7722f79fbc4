//! Writes the manual pages. `cargo run --example manual -- FOLDER` creates `FOLDER/man1`,
//! `FOLDER/man7` and `FOLDER/man8`, where `man` looks for them. It is an example, so that neither
//! program contains this code.

mod markdown;
mod pages;
mod roff;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).context("give the folder to write into")?;
    let folder = PathBuf::from(folder);
    for page in pages::all(&today()?)? {
        let section = folder.join(format!("man{}", page.section));
        fs::create_dir_all(&section)?;
        let path = section.join(page.file_name());
        fs::write(&path, &page.text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Today's date or, for reproducible pages, that of `SOURCE_DATE_EPOCH`.
fn today() -> Result<String> {
    let now = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => Timestamp::from_second(seconds.parse().context("SOURCE_DATE_EPOCH")?)?,
        Err(_) => Timestamp::now(),
    };
    Ok(now.to_zoned(TimeZone::UTC).date().to_string())
}
