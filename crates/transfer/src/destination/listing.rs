//! What of a plan is at the destination already: by listings, not by a question for each file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use object_store::{ObjectStore, path};

use super::{Destination, Place, blocking};
use crate::part;
use crate::{Error, Plan};

/// Names listed in vain before it is cheaper to jump to the next wanted one: two pages of S3.
const JUMP: usize = 2000;
/// Ranges of names listed at once, and names that make one worth it.
const RANGES: usize = 8;
const RANGE: usize = 2000;

/// What is there of the files of a plan.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// By number in the plan.
    pub found: HashMap<u32, Found>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Length of the file under its final name.
    pub bytes: Option<u64>,
    /// Parts that earlier runs left.
    pub parts: Vec<PathBuf>,
}

impl Listing {
    pub(crate) async fn of(destination: &Destination, plan: &Plan) -> Result<Self, Error> {
        match &destination.place {
            Place::Folder { root, .. } => folders(root, plan).await,
            Place::Store { store, prefix } => {
                let mut wanted = Vec::with_capacity(plan.items().len());
                for (number, item) in (0..).zip(plan.items()) {
                    wanted.push((destination.object(item.destination())?, number));
                }
                wanted.sort_unstable();
                let range = wanted.len().div_ceil(RANGES).max(RANGE);
                let prefix = (!prefix.as_ref().is_empty()).then_some(prefix);
                let sorted = lists_in_order(&store.to_string());
                let (range, at_once) = if sorted { (range, RANGES) } else { (wanted.len().max(1), 1) };
                let parts: Vec<_> = stream::iter(wanted.chunks(range))
                    .map(|range| list(&**store, prefix, range, sorted))
                    .buffer_unordered(at_once)
                    .try_collect()
                    .await
                    .map_err(|e| destination.failed("", &e))?;
                Ok(Self { found: parts.into_iter().flatten().collect() })
            }
        }
    }
}

/// One folder after the other: a folder is read once, and only wanted files are looked at.
async fn folders(root: &Path, plan: &Plan) -> Result<Listing, Error> {
    let mut folders: HashMap<&str, Vec<(&str, u32)>> = HashMap::new();
    for (number, item) in (0..).zip(plan.items()) {
        let (folder, name) = item.destination().rsplit_once('/').unwrap_or(("", item.destination()));
        folders.entry(folder).or_default().push((name, number));
    }
    let jobs = folders.into_iter().map(|(folder, wanted)| {
        let path = root.join(folder);
        let wanted: Vec<(String, u32)> = wanted.into_iter().map(|(name, n)| (name.to_owned(), n)).collect();
        blocking(move || self::folder(&path, &wanted))
    });
    let parts: Vec<_> = stream::iter(jobs).buffer_unordered(RANGES).try_collect().await?;
    Ok(Listing { found: parts.into_iter().flatten().collect() })
}

fn folder(path: &Path, wanted: &[(String, u32)]) -> Result<Vec<(u32, Found)>, Error> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if super::folder::is_absent(&e) => return Ok(Vec::new()),
        Err(e) => return Err(Error::local(path, &e)),
    };
    let mut by_name: HashMap<&str, u32> = HashMap::new();
    let mut by_stem: HashMap<&str, Vec<u32>> = HashMap::new();
    for (name, number) in wanted {
        by_name.insert(name, *number);
        by_stem.entry(part::part_stem(name)).or_default().push(*number);
    }
    let mut found: HashMap<u32, Found> = HashMap::new();
    for entry in entries {
        let entry = entry.map_err(|e| Error::local(path, &e))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if let Some(number) = by_name.get(&*name) {
            let meta = std::fs::metadata(entry.path()).map_err(|e| Error::local(&entry.path(), &e))?;
            if meta.is_file() {
                found.entry(*number).or_default().bytes = Some(meta.len());
            }
        } else if let Some(numbers) = part::stem(&name).and_then(|stem| by_stem.get(stem)) {
            // A part and its sidecar are one. A cut name may stand for several files; the sidecar tells which.
            let part = path.join(name.strip_suffix(".json").unwrap_or(&name));
            for number in numbers {
                let parts = &mut found.entry(*number).or_default().parts;
                if !parts.contains(&part) {
                    parts.push(part.clone());
                }
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// Lists from the first wanted name to the last, jumping over stretches where nothing is wanted.
async fn list(
    store: &dyn ObjectStore,
    prefix: Option<&path::Path>,
    wanted: &[(path::Path, u32)],
    sorted: bool,
) -> object_store::Result<Vec<(u32, Found)>> {
    if !sorted {
        return unsorted(store, prefix, wanted).await;
    }
    let mut found = Vec::new();
    let mut next = 0;
    'jump: while next < wanted.len() {
        let mut listing = store.list_with_offset(prefix, &before(&wanted[next].0));
        let (mut in_vain, mut last) = (0, None);
        while let Some(entry) = listing.try_next().await? {
            if last.as_ref().is_some_and(|last| entry.location < *last) {
                return unsorted(store, prefix, wanted).await;
            }
            next += wanted[next..].partition_point(|(name, _)| *name < entry.location);
            match wanted.get(next) {
                None => return Ok(found),
                Some((name, number)) if *name == entry.location => {
                    found.push((*number, Found { bytes: Some(entry.size), parts: Vec::new() }));
                    next += 1;
                    in_vain = 0;
                    if next == wanted.len() {
                        return Ok(found);
                    }
                }
                Some(_) => in_vain += 1,
            }
            if in_vain >= JUMP {
                continue 'jump;
            }
            last = Some(entry.location);
        }
        break;
    }
    Ok(found)
}

/// Whether a store, by its own description, lists names in their order. Folders and directory buckets do not.
fn lists_in_order(store: &str) -> bool {
    ["AmazonS3", "InMemory", "GoogleCloudStorage", "MicrosoftAzure"].iter().any(|known| store.contains(known))
        && !store.contains("--x-s3")
}

/// Stores that list in no order are listed as a whole.
async fn unsorted(
    store: &dyn ObjectStore,
    prefix: Option<&path::Path>,
    wanted: &[(path::Path, u32)],
) -> object_store::Result<Vec<(u32, Found)>> {
    let mut found = Vec::new();
    let mut listing = store.list(prefix);
    while let Some(entry) = listing.try_next().await? {
        if let Ok(at) = wanted.binary_search_by(|(name, _)| name.cmp(&entry.location)) {
            found.push((wanted[at].1, Found { bytes: Some(entry.size), parts: Vec::new() }));
        }
    }
    Ok(found)
}

/// A path that sorts before this one and after all that sort well before it.
fn before(path: &path::Path) -> path::Path {
    let text = path.as_ref();
    let end = text.char_indices().next_back().map_or(0, |(at, _)| at);
    path::Path::from(&text[..end])
}
