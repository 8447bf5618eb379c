//! The place of a cache, and what is in it.

use crate::bricks::BrickList;
use crate::cutter::image_hdu;
use crate::error::CacheError;
use crate::layout::Product;
use crate::marker::{MARKER, Marker};
use bytes::Bytes;
use coaddkit_fits::{Fits, Header};
use coaddkit_sky::BrickName;
use coaddkit_transfer::{Destination, Entry, Error as TransferError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// The folder of damaged files, in the cache.
pub(crate) const QUARANTINE: &str = "_quarantine";

/// A cache of coadded images: `{brick}/{file}` and `{brick}/_SUCCESS` in a folder or below a prefix of a bucket.
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
/// let position = SkyCoord::from_degrees(0.125, -0.25)?;
/// let stamp = cutter.stamp(position, 64, &[Product::Image(Band::R)])?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct CoaddCache {
    place: Destination,
    /// Runs the requests.
    runtime: Arc<tokio::runtime::Runtime>,
}

/// The files of one brick's folder and their sizes; the marker apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    pub files: BTreeMap<String, u64>,
    pub marker: Option<u64>,
    /// Why the folder could not be looked into.
    pub trouble: Option<String>,
}

impl Listing {
    fn add(&mut self, name: &str, bytes: u64) {
        if name == MARKER {
            self.marker = Some(bytes);
        } else {
            self.files.insert(name.to_owned(), bytes);
        }
    }
}

/// The bricks of a cache.
pub(crate) type Contents = BTreeMap<BrickName, Listing>;

impl CoaddCache {
    /// The cache at this place, a folder or a prefix in an object store. It need not exist yet.
    ///
    /// Its methods wait for the store, so they are not for calls from within an asynchronous task.
    ///
    /// # Errors
    ///
    /// [`CacheError::Runtime`] if the system gives no thread to ask the store with.
    pub fn new(place: Destination) -> Result<Self, CacheError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Ok(Self { place, runtime: Arc::new(runtime.map_err(CacheError::Runtime)?) })
    }

    /// Where it is.
    pub fn place(&self) -> &Destination {
        &self.place
    }

    /// Waits for a request.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Where a file is, for people.
    pub(crate) fn shown(&self, brick: BrickName, name: &str) -> String {
        format!("{}/{}", self.place.to_string().trim_end_matches('/'), key(brick, name))
    }

    /// A file of a brick, open.
    ///
    /// # Errors
    ///
    /// [`CacheError::Missing`] if it is not there, [`CacheError::Store`] if the store fails, [`CacheError::Fits`] if it
    /// is no FITS file.
    pub fn fits(&self, brick: BrickName, product: Product) -> Result<Fits, CacheError> {
        let name = product.file_name(brick);
        match self.file(brick, &name) {
            Some(path) if path.is_file() => Ok(Fits::open(path)?),
            Some(_) => Err(CacheError::Missing { place: self.shown(brick, &name) }),
            None => Ok(Fits::from_source(Vec::from(self.get(brick, &name)?))?),
        }
    }

    /// The header of the pixels of a file: of the HDU that has them.
    ///
    /// # Errors
    ///
    /// As for [`Self::fits`].
    pub fn image_header(&self, brick: BrickName, product: Product) -> Result<Header, CacheError> {
        Ok(image_hdu(&self.fits(brick, product)?)?.header().clone())
    }

    /// The path of a file, if the cache is a folder.
    pub(crate) fn file(&self, brick: BrickName, name: &str) -> Option<PathBuf> {
        Some(self.place.as_folder()?.join(brick.as_str()).join(name))
    }

    /// A whole file.
    pub(crate) fn get(&self, brick: BrickName, name: &str) -> Result<Bytes, CacheError> {
        self.block_on(self.get_async(brick, name))
    }

    pub(crate) async fn get_async(&self, brick: BrickName, name: &str) -> Result<Bytes, CacheError> {
        let found = self.place.get(&key(brick, name)).await?;
        found.ok_or_else(|| CacheError::Missing { place: self.shown(brick, name) })
    }

    /// The marker of a brick; `None` of an empty one, that of another writer.
    pub(crate) async fn marker(&self, brick: BrickName) -> Result<Option<Marker>, CacheError> {
        let bytes = self.get_async(brick, MARKER).await?;
        Marker::of(brick, &bytes)
            .map_err(|problem| CacheError::Marker { place: self.shown(brick, MARKER), problem })
    }

    /// Takes the marker away: the brick is not complete.
    pub(crate) async fn unmark(&self, brick: BrickName) -> Result<(), TransferError> {
        self.place.remove(&key(brick, MARKER)).await
    }

    /// Writes the marker of a brick, in one piece.
    pub(crate) async fn mark(&self, brick: BrickName, bytes: Vec<u8>) -> Result<(), TransferError> {
        self.place.put(&key(brick, MARKER), bytes).await
    }

    /// What the cache has of these bricks, by as few requests as it takes.
    pub(crate) async fn list(&self, bricks: &[BrickName]) -> Result<Contents, CacheError> {
        let names: Vec<&str> = bricks.iter().map(BrickName::as_str).collect();
        let mut contents = Contents::new();
        let entries = match self.place.list_folders(&names).await {
            // One folder that cannot be read does not keep the others from being listed.
            Err(_) if self.place.as_folder().is_some() => self.list_each(bricks, &mut contents).await,
            entries => entries?,
        };
        for entry in entries {
            let Some((brick, name)) = entry.name.split_once('/') else { continue };
            if let Ok(brick) = brick.parse()
                && !name.contains('/')
            {
                contents.entry(brick).or_default().add(name, entry.bytes);
            }
        }
        Ok(contents)
    }

    /// As [`Self::list`], brick by brick; what cannot be read is noted.
    async fn list_each(&self, bricks: &[BrickName], contents: &mut Contents) -> Vec<Entry> {
        let mut entries = Vec::new();
        for &brick in bricks {
            match self.place.list_folders(&[brick.as_str()]).await {
                Ok(more) => entries.extend(more),
                Err(e) => contents.entry(brick).or_default().trouble = Some(e.to_string()),
            }
        }
        entries
    }

    /// The bricks that the cache has anything of, in the order of names.
    ///
    /// # Errors
    ///
    /// [`CacheError::Store`] if the cache cannot be listed. One that does not exist has no bricks.
    pub fn bricks(&self) -> Result<Vec<BrickName>, CacheError> {
        let names = self.block_on(self.place.folders())?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// The bricks that the cache has anything of and that are not in a list, in the order of names.
    ///
    /// # Errors
    ///
    /// As for [`Self::bricks`].
    pub fn extra(&self, asked: &BrickList) -> Result<Vec<BrickName>, CacheError> {
        let asked: BTreeSet<_> = asked.bricks().iter().collect();
        Ok(self.bricks()?.into_iter().filter(|brick| !asked.contains(brick)).collect())
    }
}

/// The name of a file of a brick, from the place of the cache on.
pub(crate) fn key(brick: BrickName, name: &str) -> String {
    format!("{brick}/{name}")
}
