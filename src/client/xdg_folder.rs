//! The client's folders, by the XDG base directory specification.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The client's folder `chat`: in the folder that `variable` names, else in `below_home` of the
/// user's home. As the specification requires, a relative path is ignored.
pub fn locate(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        let value = env::var_os(name).filter(|value: &OsString| !value.is_empty());
        value.map(PathBuf::from).filter(|path| path.is_absolute())
    };
    let folder = absolute(variable).or_else(|| absolute("HOME").map(|home| home.join(below_home)));
    folder.map(|folder| folder.join("chat"))
}
