//! What can go wrong, and whose fault it is.

use crate::layout::Product;
use crate::marker::MarkerError;
use coaddkit_sky::{BrickName, SkyCoord};

/// A name or a list of names is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// A band is one lower-case letter.
    #[error("{0:?} is no band; a band is a lower-case letter such as g, r, i or z")]
    Band(String),
    /// There are no bands, or one is there twice.
    #[error("the bands {0:?} must be one or more, each once")]
    Bands(String),
    /// No file of a brick has this product.
    #[error("{0:?} is no product; products are image-BAND, invvar-BAND, psfsize-BAND and maskbits")]
    Product(String),
}

/// Why the cache has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The system gives no thread.
    #[error("no thread to ask the store with: {0}")]
    Runtime(std::io::Error),
    /// A file is not in the cache.
    #[error("{place} is not in the cache")]
    Missing {
        /// The file, from the cache's address on.
        place: String,
    },
    /// The store cannot be read or written now.
    #[error(transparent)]
    Store(#[from] coaddkit_transfer::Error),
    /// A marker makes no sense.
    #[error("{place}: {problem}")]
    Marker {
        /// The marker.
        place: String,
        /// What is wrong with it.
        problem: MarkerError,
    },
    /// A file is damaged, or is not what it should be.
    #[error(transparent)]
    Fits(#[from] coaddkit_fits::Error),
    /// A position, a size or the world coordinates of a file make no sense.
    #[error(transparent)]
    Sky(#[from] coaddkit_sky::Error),
    /// A position that the projection of the brick does not have.
    #[error("({}, {}) is on the other side of the sky of brick {brick}", position.ra_deg(), position.dec_deg())]
    FarSide {
        /// The brick.
        brick: BrickName,
        /// The position.
        position: SkyCoord,
    },
    /// A file has an image of other than two axes.
    #[error("brick {brick}, {product}: the image has {axes} axes, not 2")]
    NotFlat {
        /// The brick.
        brick: BrickName,
        /// The file.
        product: Product,
        /// Axes of its image.
        axes: usize,
    },
    /// Two images of a brick have different sizes.
    #[error("brick {brick}: {} and {} have different sizes", products[0], products[1])]
    Shapes {
        /// The brick.
        brick: BrickName,
        /// The files.
        products: [Product; 2],
    },
    /// Parts of a list of bricks are not that list.
    #[error("brick {brick} {problem}")]
    Parts {
        /// The brick.
        brick: BrickName,
        /// What is wrong: it is in no part, in two, or was not asked for.
        problem: &'static str,
    },
    /// A stamp of no product was asked for.
    #[error("no product was asked for")]
    NoProducts,
}
