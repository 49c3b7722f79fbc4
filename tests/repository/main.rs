//! The repository itself: layering, manual pages, packaging, and properties of pure code.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod any_bytes;
mod architecture;
mod documents;
mod manual;
mod modules;
mod packaging;
mod postgres_schema;
mod skips;
