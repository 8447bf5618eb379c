use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, path};

use crate::{Error, ErrorKind};

mod folder;
mod listing;
mod store;

pub(crate) use folder::blocking;
pub(crate) use listing::{Found, Listing};

/// Where files go: a folder, or a place in an object store.
///
/// Whatever it is, a name shows a whole file or none. Clones are cheap and mean the same place.
#[derive(Clone)]
pub struct Destination {
    pub(crate) place: Place,
}

#[derive(Clone)]
pub(crate) enum Place {
    Folder { root: PathBuf, sync: bool },
    Store { store: Arc<dyn ObjectStore>, prefix: path::Path, base: String },
}

/// A file at the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its name below the destination.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

impl Entry {
    /// Of an object below this prefix.
    fn of(prefix: &path::Path, meta: &object_store::ObjectMeta) -> Self {
        let skip = if prefix.as_ref().is_empty() { 0 } else { prefix.as_ref().len() + 1 };
        Self { name: meta.location.as_ref()[skip..].to_owned(), bytes: meta.size }
    }
}

impl Destination {
    /// A folder of this machine; it is made when the first file arrives.
    ///
    /// A file is written beside its final name as `.name.part-*`, brought to disk and renamed.
    pub fn folder(root: impl Into<PathBuf>) -> Self {
        Self { place: Place::Folder { root: root.into(), sync: true } }
    }

    /// A place in an object store; `prefix` may be empty.
    ///
    /// # Errors
    ///
    /// The prefix is none that object stores take.
    pub fn store(store: Arc<dyn ObjectStore>, prefix: &str) -> Result<Self, Error> {
        let base = store.to_string();
        Self::named(store, prefix, base)
    }

    fn named(store: Arc<dyn ObjectStore>, prefix: &str, base: String) -> Result<Self, Error> {
        let prefix = path::Path::parse(prefix).map_err(|e| Error::usage(prefix, e))?;
        Ok(Self { place: Place::Store { store, prefix, base } })
    }

    /// A path, `file://…` or, with feature `aws`, `s3://bucket/prefix`, reached as the environment says.
    ///
    /// # Errors
    ///
    /// It is none of these, or the environment makes no S3 configuration.
    ///
    /// # Examples
    ///
    /// ```
    /// use coaddkit_transfer::Destination;
    ///
    /// assert_eq!(Destination::parse("data/coadds")?.to_string(), "data/coadds");
    /// assert!(Destination::parse("ftp://host/coadds").is_err());
    /// # Ok::<(), coaddkit_transfer::Error>(())
    /// ```
    pub fn parse(location: &str) -> Result<Self, Error> {
        #[cfg(feature = "aws")]
        return Self::parse_with(location, &crate::S3Options::default());
        #[cfg(not(feature = "aws"))]
        Self::parse_local(location)
    }

    /// The same with other than the usual ways to S3: public buckets, another endpoint.
    ///
    /// # Errors
    ///
    /// As for [`Destination::parse`].
    #[cfg(feature = "aws")]
    pub fn parse_with(location: &str, s3: &crate::S3Options) -> Result<Self, Error> {
        match location.split_once("://") {
            Some((scheme, rest)) if ["s3", "s3a"].iter().any(|s3| scheme.eq_ignore_ascii_case(s3)) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                let store = s3.store(bucket, &crate::HostPolicy::default(), &crate::Timeouts::default())?;
                Self::named(Arc::new(store), prefix.trim_end_matches('/'), format!("s3://{bucket}"))
            }
            _ => Self::parse_local(location),
        }
    }

    fn parse_local(location: &str) -> Result<Self, Error> {
        let shown = crate::source::redact(location);
        match location.split_once("://") {
            None => Ok(Self::folder(location)),
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("file") => {
                let url = url::Url::parse(location).map_err(|e| Error::usage(&shown, e))?;
                let path = url.to_file_path();
                path.map(Self::folder).map_err(|()| Error::usage(&shown, "no path of this machine"))
            }
            _ => Err(Error::usage(&shown, "a destination is a folder or s3://bucket/prefix")),
        }
    }

    /// Without waiting for the disk before a file gets its name: faster on slow disks; a crash of the machine
    /// may leave empty files under final names. Only for what is fetched again at no cost.
    #[must_use]
    pub fn without_sync(mut self) -> Self {
        if let Place::Folder { sync, .. } = &mut self.place {
            *sync = false;
        }
        self
    }

    /// Every file whose name begins with `under` and a slash; all if it is empty. What is not whole is not listed.
    ///
    /// # Errors
    ///
    /// What the disk or the store says. A folder that does not exist has no files.
    pub async fn list(&self, under: &str) -> Result<Vec<Entry>, Error> {
        match &self.place {
            Place::Folder { root, .. } => {
                let (root, under) = (root.clone(), under.to_owned());
                blocking(move || folder::list(&root, &under)).await
            }
            Place::Store { store, prefix, .. } => {
                let below = self.object(under)?;
                store
                    .list(Some(&below))
                    .map_ok(|meta| Entry::of(prefix, &meta))
                    .try_collect()
                    .await
                    .map_err(|e| self.failed(under, &e))
            }
        }
    }

    /// [`Destination::list`] for those who wait; not from within an asynchronous task.
    ///
    /// # Errors
    ///
    /// As for [`Destination::list`].
    pub fn list_blocking(&self, under: &str) -> Result<Vec<Entry>, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|e| Error::usage("runtime", e))?.block_on(self.list(under))
    }

    /// Every file in these folders and below them, in the order of names. A store is asked by stretches of names, so
    /// that folders whose names are near one another cost few requests.
    ///
    /// # Errors
    ///
    /// As for [`Destination::list`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), coaddkit_transfer::Error> {
    /// let cache = coaddkit_transfer::Destination::folder("coadds");
    /// for entry in cache.list_folders(&["0001m002", "0001m005"]).await? {
    ///     println!("{} {}", entry.name, entry.bytes);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_folders(&self, names: &[&str]) -> Result<Vec<Entry>, Error> {
        listing::below(self, names).await
    }

    /// Names of the folders right at the destination, in order: of a store, the first parts of names.
    ///
    /// # Errors
    ///
    /// As for [`Destination::list`].
    pub async fn folders(&self) -> Result<Vec<String>, Error> {
        let mut names = match &self.place {
            Place::Folder { root, .. } => {
                let root = root.clone();
                blocking(move || folder::folders(&root)).await?
            }
            Place::Store { store, prefix, .. } => {
                let found = store.list_with_delimiter(Some(prefix)).await.map_err(|e| self.failed("", &e))?;
                let last = |path: &path::Path| path.filename().map(str::to_owned);
                found.common_prefixes.iter().filter_map(last).collect()
            }
        };
        names.sort_unstable();
        Ok(names)
    }

    /// Puts a small file: a marker, a record, a report. It appears whole or not at all.
    ///
    /// # Errors
    ///
    /// What the disk or the store says; what was there stays.
    pub async fn put(&self, name: &str, content: impl Into<Bytes>) -> Result<(), Error> {
        let content = content.into();
        match &self.place {
            Place::Folder { root, sync } => {
                let (path, sync) = (root.join(name), *sync);
                blocking(move || folder::put(&path, &content, sync)).await
            }
            Place::Store { store, .. } => {
                let path = self.object(name)?;
                store.put(&path, content.into()).await.map(drop).map_err(|e| self.failed(name, &e))
            }
        }
    }

    /// The content of a file; none if there is no such file. For small ones.
    ///
    /// # Errors
    ///
    /// What the disk or the store says.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>, Error> {
        match &self.place {
            Place::Folder { root, .. } => {
                let path = root.join(name);
                blocking(move || folder::get(&path)).await
            }
            Place::Store { store, .. } => {
                let path = self.object(name)?;
                let read = match store.get(&path).await {
                    Ok(found) => found.bytes().await.map(Some),
                    Err(object_store::Error::NotFound { .. }) => Ok(None),
                    Err(e) => Err(e),
                };
                read.map_err(|e| self.failed(name, &e))
            }
        }
    }

    /// Removes a file; there need not be one.
    ///
    /// # Errors
    ///
    /// What the disk or the store says.
    pub async fn remove(&self, name: &str) -> Result<(), Error> {
        match &self.place {
            Place::Folder { root, .. } => {
                let path = root.join(name);
                blocking(move || folder::remove(&path)).await
            }
            Place::Store { store, .. } => match store.delete(&self.object(name)?).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(e) => Err(self.failed(name, &e)),
            },
        }
    }

    /// The folder, if it is one: files below it can be opened by path.
    pub fn as_folder(&self) -> Option<&Path> {
        match &self.place {
            Place::Folder { root, .. } => Some(root),
            Place::Store { .. } => None,
        }
    }

    /// The store, if it is one: for reading ranges of what is under [`Destination::object`].
    pub fn as_store(&self) -> Option<&Arc<dyn ObjectStore>> {
        match &self.place {
            Place::Folder { .. } => None,
            Place::Store { store, .. } => Some(store),
        }
    }

    /// The full path in the store of a name.
    ///
    /// # Errors
    ///
    /// The destination is a folder, or the name is none that object stores take.
    pub fn object(&self, name: &str) -> Result<path::Path, Error> {
        let Place::Store { prefix, .. } = &self.place else {
            return Err(Error::usage(name, "no object store"));
        };
        let full = if prefix.as_ref().is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        path::Path::parse(full.trim_end_matches('/')).map_err(|e| Error::usage(name, e))
    }

    pub(crate) fn failed(&self, name: &str, error: &object_store::Error) -> Error {
        use object_store::Error as E;
        let place = format!("{self}/{name}");
        let kind = match error {
            // Of an object that is written, not read: the bucket is not there.
            E::PermissionDenied { .. } | E::Unauthenticated { .. } | E::NotFound { .. } => {
                ErrorKind::Destination
            }
            E::NotSupported { .. } | E::NotImplemented { .. } | E::UnknownConfigurationKey { .. } => {
                ErrorKind::Destination
            }
            E::InvalidPath { .. } => ErrorKind::Usage,
            E::AlreadyExists { .. } | E::Precondition { .. } | E::NotModified { .. } => ErrorKind::Refused,
            _ => store::kind(error),
        };
        Error::new(kind, place, store::shown(error))
    }
}

/// The place without credentials.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Folder { root, .. } => write!(f, "{}", root.display()),
            Place::Store { prefix, base, .. } if prefix.as_ref().is_empty() => f.write_str(base),
            Place::Store { prefix, base, .. } => write!(f, "{base}/{prefix}"),
        }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Destination({self})")
    }
}
