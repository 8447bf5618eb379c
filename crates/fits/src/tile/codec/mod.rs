//! Codecs: the bytes of one tile to its integers. They know nothing of tables, images or scaling.

pub(crate) mod bits;
pub(crate) mod gzip;
pub(crate) mod hcompress;
pub(crate) mod plio;
pub(crate) mod rice;

use std::borrow::Cow;

/// What is wrong with a stream, and how many bytes into it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) what: Cow<'static, str>,
}

impl Fault {
    pub(crate) fn new(at: usize, what: impl Into<Cow<'static, str>>) -> Self {
        Self { at, what: what.into() }
    }

    pub(crate) fn ends_early(len: usize) -> Self {
        Self::new(len, "the stream ends early")
    }
}

/// The algorithm that ZCMPTYPE names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Rice { pixel_bytes: u8, block: usize },
    Gzip { shuffled: bool },
    Hcompress { smooth: bool },
    Plio,
    None,
}
