//! Where the bytes of a file go while it comes: hashed once, judged, and kept in memory or on disk.

use std::fs::File;
use std::io::{self, IoSlice, Seek, SeekFrom, Write};

use bytes::Bytes;
use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::part::Part;
use crate::validate::{self, Check, Content, Stored};
use crate::{Digest, Item, Validate};

/// Bytes looked at to tell a page from data.
const SNIFF: usize = 512;
/// How the reason begins when a page came in place of data.
pub(crate) const PAGE: &str = "a page in HTML or XML instead of the file";

pub(crate) struct Sink {
    pub store: Store,
    pub len: u64,
    sha256: Sha256,
    md5: Option<Md5>,
    check: Option<Box<dyn Check>>,
    first: Vec<u8>,
}

pub(crate) enum Store {
    Memory(Vec<(u64, Bytes)>),
    /// A file without a name.
    Spool(File),
    /// A file beside its final name.
    Part(Part, File),
}

/// The bytes alone, of a file that was judged.
pub(crate) struct Kept {
    pub store: Store,
    pub len: u64,
}

impl Kept {
    pub(crate) fn content(&self) -> Content<'_> {
        content(&self.store, self.len)
    }
}

fn content(store: &Store, len: u64) -> Content<'_> {
    let bytes = match store {
        Store::Memory(pieces) => Stored::Memory(pieces.into()),
        Store::Spool(file) | Store::Part(_, file) => Stored::File(file),
    };
    Content { bytes, len }
}

/// What a whole file turned out to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub sha256: [u8; 32],
    pub md5: Option<[u8; 16]>,
}

impl Sink {
    pub(crate) fn new(store: Store, item: &Item, validate: Option<&dyn Validate>) -> Self {
        let md5 = matches!(item.expect.digest.as_deref(), Some(Digest::Md5(_))).then(Md5::new);
        let check = validate.map(|v| v.start(item));
        Self { store, len: 0, sha256: Sha256::new(), md5, check, first: Vec::new() }
    }

    /// Forgets all bytes.
    pub(crate) fn reset(&mut self, item: &Item, validate: Option<&dyn Validate>) -> io::Result<()> {
        match &mut self.store {
            Store::Memory(pieces) => pieces.clear(),
            Store::Spool(file) | Store::Part(_, file) => {
                file.set_len(0)?;
                file.seek(SeekFrom::Start(0))?;
            }
        }
        let empty = Store::Memory(Vec::new());
        *self = Self::new(std::mem::replace(&mut self.store, empty), item, validate);
        Ok(())
    }

    /// Takes the next bytes. Blocks.
    pub(crate) fn feed(&mut self, batch: Vec<Bytes>) -> io::Result<()> {
        batch.iter().for_each(|bytes| self.see(bytes));
        match &mut self.store {
            Store::Memory(pieces) => {
                let mut at = self.len;
                for bytes in batch {
                    let len = bytes.len() as u64;
                    pieces.push((at, bytes));
                    at += len;
                }
                self.len = at;
            }
            Store::Spool(file) | Store::Part(_, file) => {
                write_all(file, &batch)?;
                self.len += batch.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
            }
        }
        Ok(())
    }

    fn see(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(check) = &mut self.check {
            check.update(bytes);
        }
        let wanted = SNIFF.saturating_sub(self.first.len()).min(bytes.len());
        self.first.extend_from_slice(&bytes[..wanted]);
    }

    /// Takes the bytes that a part holds already, from the disk, whatever they are. Blocks.
    pub(crate) fn reread(&mut self) -> io::Result<()> {
        use io::Read;
        let Store::Part(_, file) = &self.store else { return Ok(()) };
        let mut file = file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(n) => {
                    self.see(&buffer[..n]);
                    self.len += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// From memory into a file without a name, to make room.
    pub(crate) fn spill(&mut self, mut file: File) -> io::Result<()> {
        if let Store::Memory(pieces) = &mut self.store {
            let batch: Vec<Bytes> = std::mem::take(pieces).into_iter().map(|(_, bytes)| bytes).collect();
            write_all(&mut file, &batch)?;
            self.store = Store::Spool(file);
        }
        Ok(())
    }

    /// The digests, and why the file may not be published, if so. Blocks.
    pub(crate) fn judge(&mut self, item: &Item, pages: bool) -> (Seen, Result<(), String>) {
        let md5 = self.md5.clone().map(|md5| md5.finalize().into());
        let seen = Seen { sha256: self.sha256(), md5 };
        (seen, self.verdict(item, pages, &seen))
    }

    /// Of all bytes so far.
    pub(crate) fn sha256(&self) -> [u8; 32] {
        self.sha256.clone().finalize().into()
    }

    fn verdict(&mut self, item: &Item, pages: bool, seen: &Seen) -> Result<(), String> {
        if !pages
            && validate::looks_like_a_page(&self.first)
            && !validate::is_a_page_by_name(item.destination())
        {
            let first = String::from_utf8_lossy(&self.first[..self.first.len().min(60)]).into_owned();
            return Err(format!("{PAGE}: {first:?}"));
        }
        if let Some(bytes) = item.expect.bytes.filter(|bytes| *bytes != self.len) {
            return Err(format!("{} bytes, expected {bytes}", self.len));
        }
        let found = match item.expect.digest.as_deref() {
            Some(Digest::Sha256(_)) => Some(Digest::Sha256(seen.sha256)),
            Some(Digest::Md5(_)) => seen.md5.map(Digest::Md5),
            None => None,
        };
        if let (Some(found), Some(expected)) = (found, item.expect.digest.as_deref())
            && found != *expected
        {
            return Err(format!("digest {found}, expected {expected}"));
        }
        match self.check.take() {
            Some(check) => check.finish(&content(&self.store, self.len)),
            None => Ok(()),
        }
    }

    pub(crate) fn into_kept(self) -> Kept {
        Kept { store: self.store, len: self.len }
    }
}

/// All of the pieces, in as few calls as the system takes.
fn write_all(file: &mut File, batch: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = batch.iter().map(|bytes| IoSlice::new(bytes)).collect();
    let mut rest = &mut slices[..];
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => IoSlice::advance_slices(&mut rest, n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
