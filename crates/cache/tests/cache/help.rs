//! A miniature survey, caches in folders and stores, and short patience.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use coaddkit_cache::{
    Band, BrickList, BrickRecord, BrickState, CoaddCache, FileSet, Fill, Filled, MARKER, Marker, Product,
};
use coaddkit_sky::BrickName;
use coaddkit_testkit::{CoaddTree, Coverage, FaultOrigin, Files};
use coaddkit_transfer::{Destination, RetryPolicy, Timeouts};
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

pub const WHOLE: [&str; 3] = ["3598p000", "0001p000", "0003m002"];

/// Three whole bricks with small images.
pub fn small() -> CoaddTree {
    WHOLE.iter().fold(CoaddTree::new(3).size(48, 20), |tree, name| tree.brick(name, Coverage::Complete))
}

pub fn serve(tree: &CoaddTree) -> FaultOrigin {
    FaultOrigin::new(Files::memory(tree.files()))
}

pub fn grz() -> FileSet {
    FileSet::new([Band::G, Band::R, Band::Z]).unwrap()
}

/// Every brick of a tree, whatever there is of it.
pub fn all(tree: &CoaddTree) -> BrickList {
    let names: Vec<&str> = tree.bricks().map(|(brick, _)| &*brick.name).collect();
    BrickList::named(&names.join(",")).unwrap()
}

/// A cache, and what it takes to look into it past the crate.
pub struct Place {
    pub cache: CoaddCache,
    pub asked: Option<Arc<Asked>>,
    _dir: Option<tempfile::TempDir>,
}

pub fn folder() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let cache = CoaddCache::new(Destination::folder(dir.path().join("cache")).without_sync()).unwrap();
    Place { cache, asked: None, _dir: Some(dir) }
}

pub fn store() -> Place {
    let asked = Arc::new(Asked::default());
    let counted = Counted { inner: InMemory::new(), asked: Arc::clone(&asked) };
    let cache = CoaddCache::new(Destination::store(Arc::new(counted), "some/cache").unwrap()).unwrap();
    Place { cache, asked: Some(asked), _dir: None }
}

/// Both kinds of caches.
pub fn places() -> [Place; 2] {
    [folder(), store()]
}

impl Place {
    pub fn of(cache: CoaddCache) -> Self {
        Self { cache, asked: None, _dir: None }
    }

    /// A fill that does not wait long.
    pub fn fill(&self, files: FileSet, origin: &FaultOrigin) -> Fill<'_> {
        let mut timeouts = Timeouts::default();
        (timeouts.idle, timeouts.first_byte) = (Duration::from_millis(400), Duration::from_millis(1500));
        let mut retry = RetryPolicy::default();
        (retry.base, retry.cap) = (Duration::from_millis(2), Duration::from_millis(20));
        Fill::new(&self.cache, files, &origin.base())
            .configure(|transfer| transfer.timeouts(timeouts).retry(retry))
    }

    pub fn run(&self, tree: &CoaddTree, origin: &FaultOrigin) -> Filled {
        self.fill(grz(), origin).run(&all(tree), &()).unwrap()
    }

    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        block_on(self.cache.place().get(name)).unwrap().map(Vec::from)
    }

    pub fn put(&self, name: &str, bytes: impl Into<Vec<u8>>) {
        block_on(self.cache.place().put(name, bytes.into())).unwrap();
    }

    pub fn remove(&self, name: &str) {
        block_on(self.cache.place().remove(name)).unwrap();
    }

    /// Everything in the cache.
    pub fn names(&self) -> Vec<String> {
        block_on(self.cache.place().list("")).unwrap().into_iter().map(|entry| entry.name).collect()
    }

    pub fn marker(&self, brick: &str) -> Option<Marker> {
        Marker::parse(&self.read(&format!("{brick}/{MARKER}"))?).unwrap()
    }

    /// Every file of these bricks is in the cache as it is in the tree, under a marker that says so, and nothing else.
    pub fn assert_whole(&self, tree: &CoaddTree, bricks: &[&str]) {
        let mut expected = Vec::new();
        for brick in bricks {
            let marker = self.marker(brick).unwrap_or_else(|| panic!("{brick} has no marker"));
            expected.push(format!("{brick}/{MARKER}"));
            for product in tree.products() {
                let name = file_name(brick, &product);
                let path = format!("{brick}/{name}");
                let bytes = self.read(&path).unwrap_or_else(|| panic!("{path} is not there"));
                assert!(bytes == tree.file(brick, &product), "{path} differs");
                let promised = marker.file(&name).unwrap_or_else(|| panic!("the marker lacks {name}"));
                assert_eq!((promised.bytes, &promised.sha256), (bytes.len() as u64, &sha256(&bytes)));
                expected.push(path);
            }
            assert_eq!(marker.files.len(), tree.products().len());
        }
        expected.sort();
        assert_eq!(self.names(), expected);
    }
}

pub fn file_name(brick: &str, product: &str) -> String {
    format!("legacysurvey-{brick}-{product}.fits.fz")
}

pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub fn name(brick: &str) -> BrickName {
    brick.parse().unwrap()
}

pub fn record<'a>(filled: &'a Filled, brick: &str) -> &'a BrickRecord {
    filled.records.iter().find(|record| record.brick == name(brick)).expect("every brick has a row")
}

/// States of bricks, by name.
pub fn states(filled: &Filled) -> Vec<(&str, BrickState)> {
    filled.records.iter().map(|record| (record.brick.as_str(), record.state)).collect()
}

pub fn missing(filled: &Filled, brick: &str) -> Vec<String> {
    record(filled, brick).missing.iter().map(Product::to_string).collect()
}

/// How often a store was asked what.
#[derive(Debug, Default)]
pub struct Asked {
    pub lists: AtomicUsize,
    pub gets: AtomicUsize,
    pub heads: AtomicUsize,
    pub puts: AtomicUsize,
}

impl Asked {
    /// Lists, gets, heads and puts since the last call.
    pub fn take(&self) -> [usize; 4] {
        [&self.lists, &self.gets, &self.heads, &self.puts].map(|count| count.swap(0, Ordering::Relaxed))
    }
}

/// A store that counts what it is asked.
#[derive(Debug)]
struct Counted {
    inner: InMemory,
    asked: Arc<Asked>,
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Counted({})", self.inner)
    }
}

fn count(of: &AtomicUsize) {
    of.fetch_add(1, Ordering::Relaxed);
}

#[async_trait::async_trait]
impl ObjectStore for Counted {
    async fn put_opts(&self, at: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        count(&self.asked.puts);
        self.inner.put_opts(at, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        count(&self.asked.puts);
        self.inner.put_multipart_opts(at, opts).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        count(if options.head { &self.asked.heads } else { &self.asked.gets });
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(&self, names: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(names)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        count(&self.asked.lists);
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        count(&self.asked.lists);
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        count(&self.asked.lists);
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
