//! The client's folders, as the XDG base directory specification places them.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The folder `chat` of this client in a folder of the XDG specification: the one of `variable`, else
/// the one below the user's home. As the specification asks, a relative path counts as none.
pub fn locate(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        let value = env::var_os(name).filter(|value: &OsString| !value.is_empty());
        value.map(PathBuf::from).filter(|path| path.is_absolute())
    };
    let folder = absolute(variable).or_else(|| absolute("HOME").map(|home| home.join(below_home)));
    folder.map(|folder| folder.join("chat"))
}
