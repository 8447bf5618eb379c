//! Tracts and patches of LSST.

mod coverage;

pub use coverage::{TractArea, TractCoverage};

use std::f64::consts::{FRAC_PI_2, PI, TAU};
use std::ops::Range;

use crate::coord::normalize_ra;
use crate::error::within;
use crate::wcs::Projection;
use crate::{Error, SkyCoord, Wcs};

/// Most rings and most patches along a side; with it the number of patches fits in 32 bits.
const MOST: u32 = 65_535;

/// How the pixels of a tract lie on the sky.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkyMapProjection {
    /// Gnomonic.
    Tan,
    /// Stereographic.
    Stg,
}

/// What all tracts of a [`SkyMap`] share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SkyMapConfig {
    /// Side of a pixel at the centre of a tract, in arcseconds.
    pub pixel_scale_arcsec: f64,
    /// Side of a patch without its border, in pixels.
    pub patch_inner: u32,
    /// What a patch adds on each side, except at the edge of its tract, in pixels.
    pub patch_border: u32,
    /// How far a tract reaches beyond its radius, in degrees.
    pub tract_overlap_deg: f64,
    /// The projection.
    pub projection: SkyMapProjection,
}

/// A division of the sky into tracts, and of these into patches, as LSST's pipelines use it.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::{SkyCoord, SkyMap, SkyMapConfig, SkyMapProjection};
///
/// let config = SkyMapConfig {
///     pixel_scale_arcsec: 0.168,
///     patch_inner: 4000,
///     patch_border: 100,
///     tract_overlap_deg: 1.0 / 60.0,
///     projection: SkyMapProjection::Tan,
/// };
/// let map = SkyMap::rings(config, 120, 0.0)?;
/// assert_eq!(map.len(), 18_938);
///
/// let cosmos = SkyCoord::from_degrees(150.1, 2.2)?;
/// let tract = map.find_tract(cosmos);
/// assert_eq!((tract.id(), tract.patch_counts()), (9813, [9, 9]));
/// let patch = tract.find_patch(cosmos).expect("well inside of its tract");
/// assert_eq!(patch.inner.x.end - patch.inner.x.start, 4000);
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
///
/// # References
///
/// `lsst.skymap`, ring maps of version 1 and discrete maps, with patches of the legacy kind.
#[derive(Debug, Clone, PartialEq)]
pub struct SkyMap {
    config: SkyMapConfig,
    layout: Layout,
}

#[derive(Debug, Clone, PartialEq)]
enum Layout {
    /// Tracts before each ring from the south, and the end; tract 0 and the last are the caps.
    Rings {
        starts: Vec<u32>,
        ra_start_rad: f64,
        grid: Grid,
    },
    Discrete(Vec<(SkyCoord, Grid)>),
}

/// Patches along each side of a tract, and its reference pixel in x and y, from 1.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Grid {
    patches: u32,
    crpix: f64,
}

/// A tract: an image of a part of the sky, cut into patches.
///
/// # Units
///
/// Pixels **counted from 0**, x first, except in its [`wcs`](Self::wcs).
#[derive(Debug, Clone, PartialEq)]
pub struct Tract {
    id: u32,
    ring: Option<[u32; 2]>,
    center: SkyCoord,
    wcs: Wcs,
    config: SkyMapConfig,
    patches: u32,
}

/// A rectangle of pixels, counted from 0 in the tract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PixelBox {
    /// Columns.
    pub x: Range<u64>,
    /// Rows.
    pub y: Range<u64>,
}

/// A patch of a tract.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Patch {
    /// Column and row among the patches.
    pub index: [u32; 2],
    /// Its number in the tract: row by row, from 0.
    pub sequence: u32,
    /// The pixels that are its own.
    pub inner: PixelBox,
    /// Those with its border, as far as the tract goes.
    pub outer: PixelBox,
}

impl SkyMap {
    /// A map of the whole sky: `rings` rings of tracts between two polar caps; the first tract of each ring is centred
    /// on `ra_start_deg`.
    ///
    /// # Units
    ///
    /// Degrees.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] and [`Error::OutOfRange`] for a value that makes no map: 1 to 65,535 rings, and see
    /// [`discrete`](Self::discrete).
    pub fn rings(config: SkyMapConfig, rings: u32, ra_start_deg: f64) -> Result<Self, Error> {
        within("rings", rings.into(), 1.0, MOST.into())?;
        let ra_start_rad = crate::error::finite("ra_start_deg", ra_start_deg)?.to_radians();
        let height = PI / f64::from(rings + 1);
        let grid = Grid::new(&config, height / 2.0)?;
        let mut starts = vec![1];
        let mut next = 1;
        for ring in 0..rings {
            let south = height * (f64::from(ring) + 0.5) - FRAC_PI_2;
            let longest = south.abs().min((south + height).abs()).cos() * TAU;
            next += (longest / height) as u32 + 1;
            starts.push(next);
        }
        Ok(Self { config, layout: Layout::Rings { starts, ra_start_rad, grid } })
    }

    /// A map of single tracts, each of a centre and a radius.
    ///
    /// # Units
    ///
    /// Radii are degrees.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] and [`Error::OutOfRange`] for a pixel scale outside 1e-3 to 3600 arcsec, patches without
    /// pixels, a negative overlap, a radius that is not above 0, radius and overlap beyond 85 degrees together, and
    /// more than 65,535 patches along a side, or no tract.
    pub fn discrete(config: SkyMapConfig, tracts: &[(SkyCoord, f64)]) -> Result<Self, Error> {
        within("number of tracts", tracts.len() as f64, 1.0, f64::from(u32::MAX))?;
        let grid = |&(center, radius_deg): &(SkyCoord, f64)| {
            let radius_deg = within("radius_deg", radius_deg, f64::MIN_POSITIVE, 85.0)?;
            Ok((center, Grid::new(&config, radius_deg.to_radians())?))
        };
        let tracts = tracts.iter().map(grid).collect::<Result<_, Error>>()?;
        Ok(Self { config, layout: Layout::Discrete(tracts) })
    }

    /// How many tracts there are; never 0.
    #[allow(clippy::len_without_is_empty, reason = "a map without tracts cannot be made")]
    pub fn len(&self) -> u32 {
        match &self.layout {
            Layout::Rings { starts, .. } => starts.last().map_or(0, |end| end + 1),
            Layout::Discrete(tracts) => tracts.len() as u32,
        }
    }

    /// A tract by its number.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchTract`] from [`len`](Self::len) on.
    pub fn tract(&self, id: u32) -> Result<Tract, Error> {
        if id < self.len() {
            Ok(self.own_tract(id))
        } else {
            Err(Error::NoSuchTract { id, tracts: self.len() })
        }
    }

    /// Ring, and number in the ring, of a tract that the map is known to have; `None` for caps and in discrete maps.
    fn ring(&self, id: u32) -> Option<[u32; 2]> {
        match &self.layout {
            Layout::Rings { starts, .. } if id > 0 && id + 1 < self.len() => {
                let ring = starts.partition_point(|&start| start <= id) - 1;
                Some([ring as u32, id - starts[ring]])
            }
            _ => None,
        }
    }

    /// How many tracts the ring of a tract has; 1 for what is in none.
    fn ring_length(&self, id: u32) -> u32 {
        match (&self.layout, self.ring(id)) {
            (Layout::Rings { starts, .. }, Some([ring, _])) => {
                starts[ring as usize + 1] - starts[ring as usize]
            }
            _ => 1,
        }
    }

    /// The centre of a tract that the map is known to have.
    fn center(&self, id: u32) -> SkyCoord {
        match (&self.layout, self.ring(id)) {
            (Layout::Discrete(tracts), _) => tracts[id as usize].0,
            (Layout::Rings { .. }, None) => SkyCoord::from_valid(0.0, if id == 0 { -90.0 } else { 90.0 }),
            (Layout::Rings { starts, ra_start_rad, .. }, Some([ring, k])) => {
                let height = PI / starts.len() as f64;
                let ra = TAU * f64::from(k) / f64::from(self.ring_length(id)) + ra_start_rad;
                let dec = height * (f64::from(ring) + 1.0) - FRAC_PI_2;
                SkyCoord::from_valid(normalize_ra(ra.to_degrees()), dec.to_degrees())
            }
        }
    }

    /// A tract that the map is known to have.
    fn own_tract(&self, id: u32) -> Tract {
        let (ring, center) = (self.ring(id), self.center(id));
        let grid = match &self.layout {
            Layout::Discrete(tracts) => tracts[id as usize].1,
            Layout::Rings { grid, .. } => *grid,
        };
        let scale = self.config.pixel_scale_arcsec / 3600.0;
        let (projection, code) = match self.config.projection {
            SkyMapProjection::Tan => (Projection::Tan, "TAN"),
            SkyMapProjection::Stg => (Projection::Stg, "STG"),
        };
        let wcs = Wcs::zenithal(projection, code, center, [grid.crpix; 2], [-scale, scale]);
        Tract { id, ring, center, wcs, config: self.config, patches: grid.patches }
    }

    /// The tract for a position.
    ///
    /// In a map of rings, the one whose cell of ring and right ascension holds it; in a discrete map the one with the
    /// nearest centre, the first of equals. **Neither need reach the position**: a discrete tract may be far away, and
    /// the corner of a cell may stick out of its tract if the overlap is small or the rings are few.
    /// [`Tract::find_patch`] then says `None`.
    pub fn find_tract(&self, position: SkyCoord) -> Tract {
        let id = match &self.layout {
            Layout::Rings { starts, ra_start_rad, .. } => {
                self.ring_tract(starts, *ra_start_rad, position.ra_deg().to_radians(), position.dec_deg())
            }
            Layout::Discrete(tracts) => {
                let distance = |center: SkyCoord| {
                    let half_sine = |degrees: f64| (degrees.to_radians() / 2.0).sin();
                    let ra = half_sine(center.ra_deg() - position.ra_deg());
                    let dec = half_sine(center.dec_deg() - position.dec_deg());
                    let cosines = center.dec_deg().to_radians().cos() * position.dec_deg().to_radians().cos();
                    dec * dec + cosines * ra * ra
                };
                let nearest = tracts
                    .iter()
                    .enumerate()
                    .min_by(|(_, a), (_, b)| distance(a.0).total_cmp(&distance(b.0)));
                nearest.map_or(0, |(id, _)| id as u32)
            }
        };
        self.own_tract(id)
    }

    fn ring_tract(&self, starts: &[u32], ra_start_rad: f64, ra_rad: f64, dec_deg: f64) -> u32 {
        let (height, dec) = (PI / starts.len() as f64, dec_deg.to_radians());
        let first = height / 2.0 - FRAC_PI_2;
        if dec < first {
            return 0;
        }
        if dec > -first {
            return self.len() - 1;
        }
        // The northern edge of the last ring belongs to it.
        let ring = (((dec - first) / height) as usize).min(starts.len() - 2);
        let n = starts[ring + 1] - starts[ring];
        let k = ((ra_rad - ra_start_rad).rem_euclid(TAU) / (TAU / f64::from(n)) + 0.5) as u32;
        starts[ring] + if k >= n { 0 } else { k }
    }

    /// Integers for tracts and patches of this map, and `bands` bands (1 for none).
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if they do not fit in 64 bits, or for no band.
    pub fn packer(&self, bands: u32) -> Result<DataIdPacker, Error> {
        let patches = match &self.layout {
            Layout::Rings { grid, .. } => grid.patches,
            Layout::Discrete(tracts) => tracts.iter().map(|(_, grid)| grid.patches).max().unwrap_or(1),
        };
        DataIdPacker::new(self.len(), patches * patches, bands)
    }
}

impl Grid {
    /// That of a tract of this radius.
    fn new(config: &SkyMapConfig, radius_rad: f64) -> Result<Self, Error> {
        let scale = within("pixel_scale_arcsec", config.pixel_scale_arcsec, 1e-3, 3600.0)? / 3600.0;
        let inner = within("patch_inner", config.patch_inner.into(), 1.0, f64::from(i32::MAX))?;
        let overlap = within("tract_overlap_deg", config.tract_overlap_deg, 0.0, 85.0)?;
        let reach = radius_rad + overlap.to_radians();
        within("tract radius with overlap, in degrees", reach.to_degrees(), 0.0, 85.0)?;
        // The points that far from the centre, to the east, north, west and south, lie on the axes.
        let radius = match config.projection {
            SkyMapProjection::Tan => reach.tan(),
            SkyMapProjection::Stg => 2.0 * (reach / 2.0).tan(),
        };
        let half = (radius.to_degrees() / scale + 0.5).floor();
        let size = 2.0 * half + 1.0;
        let patches = within("patches along a side", (size / inner).ceil(), 1.0, MOST.into())?;
        // Whole patches, half of what they add before the first pixel; all exact.
        let first = -half - ((patches * inner - size) / 2.0).floor();
        Ok(Self { patches: patches as u32, crpix: 1.0 - first })
    }
}

impl Tract {
    /// Its number.
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Ring, and number in the ring, both from 0; `None` for a polar cap and in discrete maps.
    pub const fn ring(&self) -> Option<[u32; 2]> {
        self.ring
    }

    /// Its centre.
    pub const fn center(&self) -> SkyCoord {
        self.center
    }

    /// Its world coordinates, whose pixels count from 1.
    pub const fn wcs(&self) -> &Wcs {
        &self.wcs
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [u64; 2] {
        [u64::from(self.patches) * u64::from(self.config.patch_inner); 2]
    }

    /// Patches along x and y.
    pub const fn patch_counts(&self) -> [u32; 2] {
        [self.patches; 2]
    }

    /// All its patches.
    pub const fn patch_count(&self) -> u32 {
        self.patches * self.patches
    }

    /// The point, x and y **from 0**, at a position; `None` on the far side of the sky.
    pub fn pixel(&self, position: SkyCoord) -> Option<[f64; 2]> {
        Some(self.wcs.sky_to_pixel(position)?.map(|value| value - 1.0))
    }

    /// The patch whose inner pixels hold a position; `None` outside of the tract.
    pub fn find_patch(&self, position: SkyCoord) -> Option<Patch> {
        let [width, _] = self.size();
        let index = |at: f64| {
            let pixel = (at + 0.5).floor();
            (pixel >= 0.0 && pixel < width as f64)
                .then(|| (pixel as u64 / u64::from(self.config.patch_inner)) as u32)
        };
        let [x, y] = self.pixel(position)?;
        Some(self.own_patch([index(x)?, index(y)?]))
    }

    /// The patch in a column and a row.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchPatch`] if the tract has fewer of either.
    pub fn patch(&self, index: [u32; 2]) -> Result<Patch, Error> {
        if index.iter().any(|&index| index >= self.patches) {
            return Err(Error::NoSuchPatch { index, tract: self.id, counts: self.patch_counts() });
        }
        Ok(self.own_patch(index))
    }

    /// A patch that the tract is known to have.
    fn own_patch(&self, index: [u32; 2]) -> Patch {
        let (inner, border) = (u64::from(self.config.patch_inner), u64::from(self.config.patch_border));
        let [width, height] = self.size();
        let own = |index: u32| u64::from(index) * inner..(u64::from(index) + 1) * inner;
        let [x, y] = index.map(own);
        let wide = |own: &Range<u64>, end: u64| own.start.saturating_sub(border)..(own.end + border).min(end);
        Patch {
            index,
            sequence: index[1] * self.patches + index[0],
            outer: PixelBox { x: wide(&x, width), y: wide(&y, height) },
            inner: PixelBox { x, y },
        }
    }

    /// The patch with a number.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchPatch`] from [`patch_count`](Self::patch_count) on.
    pub fn patch_numbered(&self, sequence: u32) -> Result<Patch, Error> {
        self.patch([sequence % self.patches, sequence / self.patches])
    }
}

/// Integers that stand for a tract, a patch and a band, as LSST packs data ids:
/// `patch + patches * (tract + tracts * band)`.
///
/// # Examples
///
/// ```
/// use coaddkit_sky::DataIdPacker;
///
/// let packer = DataIdPacker::new(18_938, 81, 6)?;
/// let id = packer.pack(9813, 40, 2)?;
/// assert_eq!(id, 40 + 81 * (9813 + 18_938 * 2));
/// assert_eq!(packer.unpack(id)?, (9813, 40, 2));
/// assert!(packer.pack(9813, 81, 2).is_err());
/// # Ok::<(), coaddkit_sky::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataIdPacker {
    tracts: u64,
    patches: u64,
    bands: u64,
}

impl DataIdPacker {
    /// For so many tracts, patches in a tract, and bands; 1 band if they are not told apart.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if one is 0, or the ids do not fit in 64 bits.
    pub fn new(tracts: u32, patches: u32, bands: u32) -> Result<Self, Error> {
        let product = f64::from(tracts) * f64::from(patches) * f64::from(bands);
        // The largest double below 2^64.
        within("tracts x patches x bands", product, 1.0, 2.0_f64.powi(64).next_down())?;
        Ok(Self { tracts: tracts.into(), patches: patches.into(), bands: bands.into() })
    }

    /// The integer.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] names the one of the three that is out of range.
    pub fn pack(self, tract: u32, patch: u32, band: u32) -> Result<u64, Error> {
        let below = |what, value: u32, count: u64| {
            within(what, value.into(), 0.0, count as f64 - 1.0).map(|_| u64::from(value))
        };
        let tract = below("tract of a data id", tract, self.tracts)?;
        let patch = below("patch of a data id", patch, self.patches)?;
        let band = below("band of a data id", band, self.bands)?;
        Ok(patch + self.patches * (tract + self.tracts * band))
    }

    /// Tract, patch and band of an integer.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if there are none.
    pub fn unpack(self, id: u64) -> Result<(u32, u32, u32), Error> {
        let (rest, patch) = (id / self.patches, id % self.patches);
        let (band, tract) = (rest / self.tracts, rest % self.tracts);
        if band >= self.bands {
            let max = self.tracts as f64 * self.patches as f64 * self.bands as f64 - 1.0;
            return Err(Error::OutOfRange { what: "packed data id", value: id as f64, min: 0.0, max });
        }
        // All three are below what came in as 32 bits.
        Ok((tract as u32, patch as u32, band as u32))
    }
}
