//! What an operation must be for the store: executed by every engine of this build.

use crate::store::operation::{Read, Write};
#[cfg(feature = "postgres")]
use crate::store::postgres;
use crate::store::sqlite::operation::{Apply, Query};

/// A write that every engine executes.
#[cfg(feature = "postgres")]
pub trait EngineWrite: Write + Apply + postgres::operation::Apply {}

#[cfg(feature = "postgres")]
impl<W: Write + Apply + postgres::operation::Apply> EngineWrite for W {}

/// A read that every engine executes.
#[cfg(feature = "postgres")]
pub trait EngineRead: Read + Query + postgres::operation::Query {}

#[cfg(feature = "postgres")]
impl<R: Read + Query + postgres::operation::Query> EngineRead for R {}

/// A write that every engine executes.
#[cfg(not(feature = "postgres"))]
pub trait EngineWrite: Write + Apply {}

#[cfg(not(feature = "postgres"))]
impl<W: Write + Apply> EngineWrite for W {}

/// A read that every engine executes.
#[cfg(not(feature = "postgres"))]
pub trait EngineRead: Read + Query {}

#[cfg(not(feature = "postgres"))]
impl<R: Read + Query> EngineRead for R {}
