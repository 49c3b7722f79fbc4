//! The properties of `tests/properties`, for the fuzz targets. What they check is said there.

#[path = "../../tests/properties/mod.rs"]
mod properties;

pub use properties::*;
