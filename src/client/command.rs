//! The one-shot commands, a module each. A command's `run` writes its result to `out` and gives
//! back why it was not done.

pub mod auth;
pub mod inbox;
pub mod list;
pub mod logout;
pub mod send;
