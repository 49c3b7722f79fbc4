//! The properties of `tests/properties`, for the fuzz targets. Their documentation is there.

#[path = "../../tests/properties/mod.rs"]
mod properties;

pub use properties::*;
