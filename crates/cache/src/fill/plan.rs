//! What is there, and what is to be fetched.

use super::Fill;
use crate::bricks::BrickList;
use crate::error::CacheError;
use crate::layout::{Product, source_path};
use crate::marker::{Marker, MarkerFile};
use crate::store::{CoaddCache, Contents, Listing, key};
use crate::verify::flaws;
use coaddkit_fits::Level;
use coaddkit_sky::BrickName;
use coaddkit_transfer::{Item, Plan};
use futures_util::StreamExt;
use tokio::sync::Semaphore;

/// Markers that are read at a time.
const MARKERS: usize = 64;

/// Files that are read at a time to be verified: they are whole in memory.
const VERIFIED: usize = 8;

/// Every brick that was asked for, and the files to fetch.
pub(super) struct Work {
    pub bricks: Vec<Brick>,
    pub plan: Plan,
    /// The brick and the file of each item of the plan.
    pub items: Vec<(u32, Product)>,
    source: String,
    pub not_asked: u64,
    pub replaced: u64,
}

/// What is known of a brick before anything moves.
pub(super) struct Brick {
    pub name: BrickName,
    /// Files asked for that are there, and fine.
    pub there: Vec<(Product, MarkerFile)>,
    /// Files to fetch.
    pub wanted: Vec<Product>,
    /// Files that the origin is known not to have.
    pub absent: Vec<Product>,
    /// Files that a marker vouches for and that were not asked for.
    pub others: Vec<MarkerFile>,
    /// True if a marker covers all that was asked for.
    pub marked: bool,
    /// Files of which nothing can be said now.
    pub unknown: Vec<Product>,
    /// Why that is, or why the brick cannot become complete.
    pub trouble: Option<String>,
    replaced: u64,
}

impl Work {
    pub(super) async fn of(
        fill: &Fill<'_>,
        bricks: &BrickList,
        contents: &Contents,
    ) -> Result<Self, CacheError> {
        // One that is none is found even where nothing is to be fetched.
        Item::new(&fill.source, "source")?;
        let (empty, verifying) = (Listing::default(), Semaphore::new(VERIFIED));
        let verifying = &verifying;
        let looks = bricks.bricks().iter().map(|&name| {
            let listing = contents.get(&name).unwrap_or(&empty);
            Brick::look(fill, name, listing, verifying)
        });
        // In the order asked for.
        let bricks: Vec<Brick> = futures_util::stream::iter(looks).buffered(MARKERS).collect().await;
        let mut items = Vec::new();
        let mut plan = Vec::new();
        for (index, brick) in bricks.iter().enumerate() {
            for &product in &brick.wanted {
                let source = address(&fill.source, brick.name, product);
                plan.push(Item::new(&source, &key(brick.name, &product.file_name(brick.name)))?);
                // A list of bricks is far below 2³².
                items.push((index as u32, product));
            }
        }
        let not_asked = bricks.iter().map(|brick| brick.absent.len() as u64).sum();
        let replaced = bricks.iter().map(|brick| brick.replaced).sum();
        Ok(Self { plan: Plan::new(plan)?, bricks, items, source: fill.source.clone(), not_asked, replaced })
    }

    /// Where a file comes from, without secrets.
    pub(super) fn address(&self, brick: BrickName, product: Product) -> String {
        let address = address(&self.source, brick, product);
        Item::new(&address, "x").map_or_else(|_| String::new(), |item| item.source().to_string())
    }

    pub(super) fn complete_before(&self) -> u64 {
        self.bricks.iter().filter(|brick| brick.marked).count() as u64
    }
}

fn address(source: &str, brick: BrickName, product: Product) -> String {
    format!("{source}/{}", source_path(brick, product))
}

impl Brick {
    async fn look(fill: &Fill<'_>, name: BrickName, listing: &Listing, verifying: &Semaphore) -> Self {
        let mut brick = Self {
            name,
            there: Vec::new(),
            wanted: Vec::new(),
            absent: Vec::new(),
            others: Vec::new(),
            marked: false,
            unknown: Vec::new(),
            trouble: None,
            replaced: 0,
        };
        let marker = match listing.marker {
            None => None,
            // An empty one needs no reading.
            Some(0) => Some(None),
            Some(_) => match fill.cache.marker(name).await {
                Ok(marker) => Some(marker),
                // A marker that makes no sense vouches for nothing.
                Err(CacheError::Marker { .. } | CacheError::Missing { .. }) => None,
                Err(e) => {
                    brick.unknown = fill.files.products().to_vec();
                    brick.trouble = Some(e.to_string());
                    return brick;
                }
            },
        };
        for &product in fill.files.products() {
            brick.file(fill, product, listing, marker.as_ref(), verifying).await;
        }
        brick.marker(fill, listing, marker).await;
        brick
    }

    /// Decides on one file.
    async fn file(
        &mut self,
        fill: &Fill<'_>,
        product: Product,
        listing: &Listing,
        marker: Option<&Option<Marker>>,
        verifying: &Semaphore,
    ) {
        let file = product.file_name(self.name);
        let Some(&bytes) = listing.files.get(&file).filter(|bytes| **bytes > 0) else {
            let known = fill.absent.contains(self.name, &file);
            if known {
                self.absent.push(product)
            } else {
                self.wanted.push(product)
            }
            return;
        };
        if fill.anew(self.name, product) {
            self.wanted.push(product);
            return;
        }
        let vouched = match marker {
            // Another writer's marker vouches for what lies there.
            Some(None) => Some(MarkerFile::unread(&file, bytes)),
            Some(Some(marker)) => marker.file(&file).filter(|promised| promised.bytes == bytes).cloned(),
            None => None,
        };
        match vouched {
            Some(vouched) => self.there.push((product, vouched)),
            None => match verified(fill.cache, self.name, &file, verifying).await {
                Ok(Some(good)) => self.there.push((product, good)),
                Ok(None) => {
                    self.replaced += 1;
                    self.wanted.push(product);
                }
                Err(e) => {
                    self.unknown.push(product);
                    self.trouble = Some(e.to_string());
                }
            },
        }
    }

    /// What the marker means for the brick; one that no longer holds is taken away before anything else happens.
    async fn marker(&mut self, fill: &Fill<'_>, listing: &Listing, marker: Option<Option<Marker>>) {
        let products = fill.files.products();
        let all_there = self.there.len() == products.len();
        let holds = match &marker {
            None => return,
            // Files that are fetched again replace what it vouches for.
            Some(_) if products.iter().any(|&product| fill.anew(self.name, product)) => false,
            Some(None) => true,
            Some(Some(marker)) => marker.files.iter().all(|f| listing.files.get(&f.name) == Some(&f.bytes)),
        };
        if !holds && let Err(e) = fill.cache.unmark(self.name).await {
            self.trouble = Some(e.to_string());
        }
        let Some(Some(marker)) = marker else {
            self.marked = holds && all_there;
            return;
        };
        let asked: Vec<String> = products.iter().map(|product| product.file_name(self.name)).collect();
        self.marked = holds && all_there && asked.iter().all(|name| marker.file(name).is_some());
        let kept = |file: &MarkerFile| {
            !asked.contains(&file.name) && listing.files.get(&file.name) == Some(&file.bytes)
        };
        self.others = marker.files.into_iter().filter(kept).collect();
    }
}

/// Reads a file that nobody vouches for; `None` if it is damaged.
async fn verified(
    cache: &CoaddCache,
    brick: BrickName,
    file: &str,
    verifying: &Semaphore,
) -> Result<Option<MarkerFile>, CacheError> {
    // It is never closed.
    let _turn = verifying.acquire().await;
    let bytes = cache.get_async(brick, file).await?;
    let name = file.to_owned();
    let judged = tokio::task::spawn_blocking(move || {
        let found = MarkerFile::of(&name, &bytes);
        flaws(Vec::from(bytes), Level::Checksum).is_empty().then_some(found)
    });
    // It is only lost if the runtime ends, and with it all that waits.
    Ok(judged.await.unwrap_or(None))
}
