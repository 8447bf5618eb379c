#![deny(missing_docs)]
//! Arrays and record batches of `arrow` to and from `arrow2`, over the Arrow C Data Interface.
//!
//! # Should I use it?
//!
//! Only if a part of your program still holds arrays of arrow2, which is archived and has an advisory without a patch
//! (RUSTSEC-2025-0038: a method of its compute module, which this build of it does not contain). New code needs `arrow`
//! alone.
//!
//! # Example
//!
//! ```
//! use arrow_array::{Array, Float64Array};
//! use coaddkit_arrow2::{from_arrow2, to_arrow2};
//!
//! let flux = Float64Array::from(vec![Some(1.5), None, Some(3.0)]);
//! let there = to_arrow2(&flux)?;
//! assert_eq!(there.null_count(), 1);
//! let back = from_arrow2(there)?;
//! assert_eq!(back.as_ref(), &flux as &dyn Array);
//! # Ok::<(), coaddkit_arrow2::Error>(())
//! ```
//!
//! # Why this shape?
//!
//! Both crates speak the C Data Interface, whose two structs have one layout. So an array crosses as pointers: values are
//! not copied, whoever holds the last side frees them. Validity bitmaps that start within a byte may be copied. What
//! arrow2 does not know (views, list views, small decimals, run ends) is [refused](Error::Unsupported) before anything is
//! handed over.
//!
//! # Unsafe code
//!
//! Two moves of a struct between its two names, and two imports of what the other side has just exported, in one file.
//!
//! # Features
//!
//! None.

mod batch;
mod cross;
mod error;

pub use batch::{batch_from_arrow2, batch_to_arrow2};
pub use cross::{from_arrow2, to_arrow2};
pub use error::Error;
