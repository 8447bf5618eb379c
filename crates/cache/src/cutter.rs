//! Many stamps from few bricks: a brick is opened once, and tiles that were decoded are kept.

use crate::error::CacheError;
use crate::layout::Product;
use crate::store::CoaddCache;
use coaddkit_fits::{Fits, Hdu, Sections, Value};
use coaddkit_sky::{BrickGrid, BrickName, Cutout, KeywordValue, SkyCoord, Wcs};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bricks that stay open: that of a stamp and those around it.
const OPEN_BRICKS: usize = 9;

/// Bytes of decoded pixels that each file may keep.
const FILE_BYTES: usize = 32 << 20;

/// An image of a brick, open.
struct Plane {
    sections: Sections,
    shape: [usize; 2],
    wcs: Wcs,
}

/// A brick of which some files are open.
struct OpenBrick {
    planes: BTreeMap<Product, Arc<Plane>>,
    used: u64,
}

/// Cuts stamps out of the images of a cache.
///
/// Ask for the stamps brick by brick: a brick is opened when it is first needed and stays open while it is among the
/// few used last, so sorted positions cost each file once.
///
/// # Shape
///
/// Stamps are square, `size` rows of `size` pixels, the position at the pixel `size / 2` from 0: the pixel nearest to
/// it, of two equally near the one with the even number.
///
/// # Units
///
/// Pixels are those of the product: nanomaggies for images. Masks are numbers too; single precision holds the bits of
/// a mask exactly, up to bit 24.
///
/// # Examples
///
/// ```no_run
/// use coaddkit_cache::{Band, CoaddCache, Cutter, Product};
/// use coaddkit_sky::SkyCoord;
/// use coaddkit_transfer::Destination;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = CoaddCache::new(Destination::folder("coadd_cache"))?;
/// let mut cutter = Cutter::new(&cache);
/// for ra in [0.10, 0.11, 0.12] {
///     let stamp = cutter.stamp(SkyCoord::from_degrees(ra, -0.25)?, 64, &[Product::Image(Band::R)])?;
///     let (_, pixels) = &stamp.planes[0];
///     println!("{} {} {:?}", stamp.brick, stamp.complete, pixels.iter().copied().reduce(f32::max));
/// }
/// # Ok(())
/// # }
/// ```
pub struct Cutter<'c> {
    cache: &'c CoaddCache,
    neighbors: bool,
    open: BTreeMap<BrickName, OpenBrick>,
    clock: u64,
}

/// A stamp in each of the products asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stamp {
    /// The brick whose pixels it has.
    pub brick: BrickName,
    /// Rows, and columns.
    pub size: usize,
    /// The pixels of each product, row after row; 0 where there are none.
    pub planes: Vec<(Product, Vec<f32>)>,
    /// True if every pixel is there.
    pub complete: bool,
    /// The pixel of the brick's images, x and y from 0, that is the first of the stamp; negative beyond the edge.
    pub origin: [i64; 2],
    /// Pixels that came from the images of other bricks, and which.
    pub neighbors: BTreeMap<BrickName, usize>,
    /// World coordinates of the stamp's pixels.
    pub wcs: Wcs,
}

impl<'c> Cutter<'c> {
    /// Cuts from this cache.
    pub fn new(cache: &'c CoaddCache) -> Self {
        Self { cache, neighbors: true, open: BTreeMap::new(), clock: 0 }
    }

    /// Whether pixels beyond the edge of a brick come from its neighbours, if those are cached: the nearest pixel of the
    /// neighbour's grid, which is not aligned with the brick's, so positions shift by up to half a pixel there. On
    /// by default; off, such pixels are 0 and the stamp is not complete, as in training sets made brick by brick.
    #[must_use]
    pub fn across_bricks(mut self, on: bool) -> Self {
        self.neighbors = on;
        self
    }

    /// A stamp about a position, from the brick that has it.
    ///
    /// # Errors
    ///
    /// As for [`Self::stamp_of`].
    pub fn stamp(
        &mut self,
        position: SkyCoord,
        size: usize,
        products: &[Product],
    ) -> Result<Stamp, CacheError> {
        self.stamp_of(BrickGrid::legacy().brick_at(position).name, position, size, products)
    }

    /// A stamp about a position, from the images of this brick.
    ///
    /// # Errors
    ///
    /// [`CacheError::Missing`] if the brick lacks one of the products, [`CacheError::Fits`] if a file is damaged,
    /// [`CacheError::Sky`] if the position is on the far side of the sky or the size is not to be had.
    pub fn stamp_of(
        &mut self,
        brick: BrickName,
        position: SkyCoord,
        size: usize,
        products: &[Product],
    ) -> Result<Stamp, CacheError> {
        let planes: Vec<_> =
            products.iter().map(|&product| self.plane(brick, product)).collect::<Result<_, _>>()?;
        let Some(first) = planes.first() else { return Err(CacheError::NoProducts) };
        let [x, y] = first.wcs.sky_to_pixel(position).ok_or(CacheError::FarSide { brick, position })?;
        let cutout = Cutout::stamp(first.shape, x - 1.0, y - 1.0, size)?;
        let wcs = first.wcs.shifted(cutout.origin());
        let mut stamp = Stamp {
            brick,
            size,
            planes: Vec::with_capacity(planes.len()),
            complete: cutout.is_complete(),
            origin: cutout.origin(),
            neighbors: BTreeMap::new(),
            wcs,
        };
        for (plane, &product) in planes.iter().zip(products) {
            if plane.shape != first.shape {
                return Err(CacheError::Shapes { brick, products: [products[0], product] });
            }
            let mut pixels = vec![0.0; size * size];
            cutout.place(&plane.read(&cutout)?, 0.0, &mut pixels)?;
            stamp.planes.push((product, pixels));
        }
        if !stamp.complete && self.neighbors {
            self.fill(&mut stamp, &cutout)?;
        }
        Ok(stamp)
    }

    /// Fills what the brick lacks from its neighbours.
    fn fill(&mut self, stamp: &mut Stamp, cutout: &Cutout) -> Result<(), CacheError> {
        let ([top, left], [rows, columns]) =
            ([cutout.offset()[1], cutout.offset()[0]], [cutout.y().len(), cutout.x().len()]);
        let own = |row: usize, column: usize| {
            (top..top + rows).contains(&row) && (left..left + columns).contains(&column)
        };
        let products: Vec<Product> = stamp.planes.iter().map(|(product, _)| *product).collect();
        // Pixels by the brick they lie in, so that each is opened once.
        let mut wanted: BTreeMap<BrickName, Vec<(usize, SkyCoord)>> = BTreeMap::new();
        let (mut lacking, size) = (0, stamp.size);
        for (row, column) in (0..size).flat_map(|row| (0..size).map(move |column| (row, column))) {
            if own(row, column) {
                continue;
            }
            lacking += 1;
            if let Some(sky) = stamp.wcs.pixel_to_sky(column as f64 + 1.0, row as f64 + 1.0) {
                let brick = BrickGrid::legacy().brick_at(sky).name;
                if brick != stamp.brick {
                    wanted.entry(brick).or_default().push((row * size + column, sky));
                }
            }
        }
        for (brick, pixels) in wanted {
            let mut planes = Vec::with_capacity(products.len());
            for &product in &products {
                planes.push(match self.plane(brick, product) {
                    Ok(plane) => Some(plane),
                    // A brick that is not there is the edge of the survey, or of a band.
                    Err(CacheError::Missing { .. }) => None,
                    Err(error) => return Err(error),
                });
            }
            for (at, sky) in pixels {
                let mut found = 0;
                for (plane, (_, out)) in planes.iter().zip(&mut stamp.planes) {
                    if let Some(plane) = plane
                        && let Some(value) = plane.nearest(sky)?
                    {
                        out[at] = value;
                        found += 1;
                    }
                }
                if found > 0 {
                    *stamp.neighbors.entry(brick).or_default() += 1;
                }
                lacking -= usize::from(found == planes.len());
            }
        }
        stamp.complete = lacking == 0;
        Ok(())
    }

    /// An image, opened at its first use.
    fn plane(&mut self, brick: BrickName, product: Product) -> Result<Arc<Plane>, CacheError> {
        self.clock += 1;
        let open = self.open.entry(brick).or_insert_with(|| OpenBrick { planes: BTreeMap::new(), used: 0 });
        open.used = self.clock;
        if let Some(plane) = open.planes.get(&product) {
            return Ok(Arc::clone(plane));
        }
        let plane = Arc::new(Plane::open(self.cache, brick, product)?);
        open.planes.insert(product, Arc::clone(&plane));
        if self.open.len() > OPEN_BRICKS {
            let oldest = self.open.iter().min_by_key(|(_, open)| open.used).map(|(brick, _)| *brick);
            oldest.map(|brick| self.open.remove(&brick));
        }
        Ok(plane)
    }
}

impl Plane {
    fn open(cache: &CoaddCache, brick: BrickName, product: Product) -> Result<Self, CacheError> {
        let fits = cache.fits(brick, product)?;
        let hdu = image_hdu(&fits)?;
        let image = hdu.image()?;
        let &[rows, columns] = image.shape() else {
            return Err(CacheError::NotFlat { brick, product, axes: image.shape().len() });
        };
        // The file holds its pixels, so a `usize` counts them.
        let shape = [rows as usize, columns as usize];
        Ok(Self { wcs: wcs_of(&hdu)?, sections: image.sections(FILE_BYTES), shape })
    }

    fn read(&self, cutout: &Cutout) -> Result<Vec<f32>, CacheError> {
        let wide = |range: std::ops::Range<usize>| range.start as u64..range.end as u64;
        if cutout.x().is_empty() || cutout.y().is_empty() {
            return Ok(Vec::new());
        }
        let section = self.sections.section::<f64>(&[wide(cutout.y()), wide(cutout.x())])?;
        Ok(section.into_iter().map(|value| value as f32).collect())
    }

    /// The pixel nearest to a position.
    fn nearest(&self, sky: SkyCoord) -> Result<Option<f32>, CacheError> {
        let Some([x, y]) = self.wcs.sky_to_pixel(sky) else { return Ok(None) };
        let cutout = Cutout::stamp(self.shape, x - 1.0, y - 1.0, 1)?;
        Ok(self.read(&cutout)?.first().copied())
    }
}

/// The HDU with the pixels: the primary, or the first extension where that has none, as in compressed files.
pub(crate) fn image_hdu(fits: &Fits) -> Result<Hdu, coaddkit_fits::Error> {
    let primary = fits.hdu(0)?;
    if primary.shape().is_empty() || primary.shape().contains(&0) { fits.hdu(1) } else { Ok(primary) }
}

/// The world coordinates in a header.
pub(crate) fn wcs_of(hdu: &Hdu) -> Result<Wcs, coaddkit_sky::Error> {
    Wcs::from_keywords(|keyword| match hdu.header().get(keyword)? {
        Value::Integer(value) => Some(value.into()),
        Value::Real(value) => Some(value.into()),
        Value::Text(text) => Some(KeywordValue::Text(text)),
        _ => None,
    })
}
