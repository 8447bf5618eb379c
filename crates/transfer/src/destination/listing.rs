//! What of a plan is at the destination already: by listings, not by a question for each file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStore, path};

use super::{Destination, Place, blocking};
use crate::part;
use crate::{Entry, Error, Plan};

/// Names listed in vain before it is cheaper to jump to the next wanted one: two pages of S3.
const JUMP: usize = 2000;
/// Ranges of names listed at once, and files and folders that make one worth it.
const RANGES: usize = 8;
const RANGE: usize = 2000;
const FOLDERS: usize = 125;

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
            Place::Store { .. } => {
                let mut wanted = Vec::with_capacity(plan.items().len());
                for (number, item) in (0..).zip(plan.items()) {
                    wanted.push((destination.object(item.destination())?.into(), number));
                }
                let found = objects(destination, wanted, RANGE).await?;
                let found = found
                    .into_iter()
                    .map(|(number, entry)| (number, Found { bytes: Some(entry.size), parts: Vec::new() }));
                Ok(Self { found: found.collect() })
            }
        }
    }
}

/// Everything in these folders, whatever their number, in the order of names.
pub(super) async fn below(destination: &Destination, names: &[&str]) -> Result<Vec<Entry>, Error> {
    let mut found: Vec<Entry> = match &destination.place {
        Place::Folder { root, .. } => {
            let jobs = names.iter().map(|name| {
                let (root, name) = (root.clone(), (*name).to_owned());
                blocking(move || super::folder::list(&root, &name))
            });
            let parts: Vec<_> = stream::iter(jobs).buffer_unordered(RANGES).try_collect().await?;
            parts.into_iter().flatten().collect()
        }
        Place::Store { prefix, .. } => {
            let mut wanted = Vec::with_capacity(names.len());
            for (number, name) in (0..).zip(names) {
                wanted.push((format!("{}/", destination.object(name)?), number));
            }
            let found = objects(destination, wanted, FOLDERS).await?;
            found.into_iter().map(|(_, entry)| Entry::of(prefix, &entry)).collect()
        }
    };
    found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    found.dedup();
    Ok(found)
}

/// What a store has of these names; one with a slash at the end means all below it.
async fn objects(
    destination: &Destination,
    mut wanted: Vec<(String, u32)>,
    worth: usize,
) -> Result<Vec<(u32, ObjectMeta)>, Error> {
    let Place::Store { store, prefix, .. } = &destination.place else { return Ok(Vec::new()) };
    wanted.sort_unstable();
    let range = wanted.len().div_ceil(RANGES).max(worth);
    let prefix = (!prefix.as_ref().is_empty()).then_some(prefix);
    let sorted = lists_in_order(&store.to_string());
    let (range, at_once) = if sorted { (range, RANGES) } else { (wanted.len().max(1), 1) };
    let parts: Vec<_> = stream::iter(wanted.chunks(range))
        .map(|range| list(&**store, prefix, range, sorted))
        .buffer_unordered(at_once)
        .try_collect()
        .await
        .map_err(|e| destination.failed("", &e))?;
    Ok(parts.into_iter().flatten().collect())
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

/// Whether a listed name is a wanted one, or below it.
fn is_wanted(wanted: &str, listed: &str) -> bool {
    if wanted.ends_with('/') { listed.starts_with(wanted) } else { listed == wanted }
}

/// Where in the wanted names, from `next` on, a listed name is or would be.
fn place_of(wanted: &[(String, u32)], next: usize, listed: &str) -> usize {
    let at = next + wanted[next..].partition_point(|(name, _)| &**name < listed);
    // A folder sorts before what is in it.
    if at > next && is_wanted(&wanted[at - 1].0, listed) { at - 1 } else { at }
}

/// Lists from the first wanted name to the last, jumping over stretches where nothing is wanted.
async fn list(
    store: &dyn ObjectStore,
    prefix: Option<&path::Path>,
    wanted: &[(String, u32)],
    sorted: bool,
) -> object_store::Result<Vec<(u32, ObjectMeta)>> {
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
            let here = entry.location.clone();
            next = place_of(wanted, next, entry.location.as_ref());
            match wanted.get(next) {
                None => return Ok(found),
                Some((name, number)) if is_wanted(name, entry.location.as_ref()) => {
                    found.push((*number, entry));
                    in_vain = 0;
                    // Of a folder, there may be more.
                    next += usize::from(!name.ends_with('/'));
                    if next == wanted.len() {
                        return Ok(found);
                    }
                }
                Some(_) => in_vain += 1,
            }
            // Names just before the next wanted one have to be gone through.
            if in_vain >= JUMP && before(&wanted[next].0) > here {
                continue 'jump;
            }
            last = Some(here);
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
    wanted: &[(String, u32)],
) -> object_store::Result<Vec<(u32, ObjectMeta)>> {
    let mut found = Vec::new();
    let mut listing = store.list(prefix);
    while let Some(entry) = listing.try_next().await? {
        let at = place_of(wanted, 0, entry.location.as_ref());
        if let Some((_, number)) = wanted.get(at).filter(|(name, _)| is_wanted(name, entry.location.as_ref()))
        {
            found.push((*number, entry));
        }
    }
    Ok(found)
}

/// A path that sorts before this one and after all that sort well before it.
fn before(name: &str) -> path::Path {
    // Not the folder itself: SeaweedFS passes over all that is in it.
    let name = name.trim_end_matches('/');
    let end = name.char_indices().next_back().map_or(0, |(at, _)| at);
    path::Path::from(&name[..end])
}
