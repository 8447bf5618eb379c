//! The account of a run in a bucket.

use coaddkit_tasks::{Error, ErrorKind, Store};
use coaddkit_transfer::{Destination, Existing, Item, Plan, Transfer};
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, path};
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// A prefix of a bucket.
#[derive(Debug)]
pub struct Objects {
    place: Destination,
    store: Arc<dyn ObjectStore>,
    runtime: Runtime,
}

impl Objects {
    /// `None` if the destination is a folder.
    ///
    /// # Errors
    ///
    /// The system gives us no threads.
    pub fn of(place: &Destination) -> std::io::Result<Option<Self>> {
        let Some(store) = place.as_store().cloned() else { return Ok(None) };
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(Some(Self { place: place.clone(), store, runtime }))
    }

    fn key(&self, name: &str) -> Result<path::Path, Error> {
        self.place.object(name).map_err(|e| Error::new(ErrorKind::Usage, name, e))
    }

    fn error(&self, name: &str, e: object_store::Error) -> Error {
        let kind = match &e {
            object_store::Error::NotFound { .. }
            | object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => ErrorKind::Missing,
            _ => ErrorKind::Transient,
        };
        self.failed(kind, name, e)
    }

    fn failed(&self, kind: ErrorKind, name: &str, what: impl Display) -> Error {
        Error::new(kind, format!("{}/{name}", self.place), what)
    }

    fn put_as(&self, name: &str, bytes: Vec<u8>, mode: PutMode) -> Result<bool, Error> {
        let (key, options) = (self.key(name)?, PutOptions { mode, ..PutOptions::default() });
        match self.runtime.block_on(self.store.put_opts(&key, PutPayload::from(bytes), options)) {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(false)
            }
            Err(e) => Err(self.error(name, e)),
        }
    }
}

impl Store for Objects {
    fn list(&self) -> Result<Vec<(String, u64)>, Error> {
        let list = self.place.list_blocking("");
        let list = list.map_err(|e| self.failed(ErrorKind::Transient, "", e))?;
        Ok(list.into_iter().map(|entry| (entry.name, entry.bytes)).collect())
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let key = self.key(name)?;
        let got = self.runtime.block_on(async { self.store.get(&key).await?.bytes().await });
        match got {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.error(name, e)),
        }
    }

    fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        self.put_as(name, bytes, PutMode::Overwrite).map(drop)
    }

    fn put_new(&self, name: &str, bytes: Vec<u8>) -> Result<bool, Error> {
        self.put_as(name, bytes, PutMode::Create)
    }

    fn put_file(&self, name: &str, file: &Path) -> Result<(), Error> {
        let failed = |e: coaddkit_transfer::Error| self.failed(ErrorKind::Transient, name, e);
        let plan = Item::file(file, name).and_then(|item| Plan::new([item])).map_err(failed)?;
        let transfer = Transfer::new(self.place.clone()).existing(Existing::Replace);
        let report = transfer.run_blocking(&plan, &()).map_err(failed)?;
        match report.missing.first().and_then(|finished| finished.outcome.reason()) {
            Some(why) => Err(self.failed(ErrorKind::Transient, name, why)),
            None => Ok(()),
        }
    }

    fn delete(&self, name: &str) -> Result<(), Error> {
        match self.runtime.block_on(self.store.delete(&self.key(name)?)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.error(name, e)),
        }
    }
}
