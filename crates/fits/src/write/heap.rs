//! The heap of a table that is written in chunks: it stands behind the last row, so it has to wait.

use super::part::Part;
use crate::error::Error;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes that wait in memory; what is more goes to a temporary file.
const MEMORY: usize = 64 << 20;

/// Bytes that are read back at a time.
const STEP: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct Heap {
    recent: Vec<u8>,
    spilled: Option<(Part, File)>,
    total: u64,
    /// What the temporary file is beside of.
    beside: PathBuf,
}

impl Heap {
    /// A heap whose temporary file, if it needs one, is beside the file that is written.
    pub(super) fn new(path: Option<&Path>) -> Self {
        let beside = path.map_or_else(|| std::env::temp_dir().join("heap.fits"), Path::to_owned);
        Self { recent: Vec::new(), spilled: None, total: 0, beside }
    }

    pub(super) fn len(&self) -> u64 {
        self.total
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.recent.extend_from_slice(bytes);
        self.total += bytes.len() as u64;
        if self.recent.len() > MEMORY {
            let (_, file) = match &mut self.spilled {
                Some(spilled) => spilled,
                none => none.insert(Part::create(&self.beside)?),
            };
            file.write_all(&self.recent)?;
            self.recent.clear();
        }
        Ok(())
    }

    /// Hands out all bytes in order.
    pub(super) fn drain(
        &mut self,
        mut put: impl FnMut(io::Result<&[u8]>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if let Some((_, file)) = &mut self.spilled {
            let mut buffer = vec![0; STEP];
            let mut read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read(&mut buffer));
            while !matches!(read, Ok(0)) {
                put(read.map(|n| &buffer[..n]))?;
                read = file.read(&mut buffer);
            }
        }
        put(Ok(&self.recent))
    }
}
