use std::fs::File;
use std::io;
use std::sync::Arc;

/// Random access to the bytes of a FITS stream, shared between threads.
///
/// Implemented for [`File`] and for byte vectors; implement it to read from elsewhere (an object store, an
/// archive). Reads carry their own offset, so that threads need no lock and no seek.
pub trait ReadAt: Send + Sync {
    /// Reads up to `buf.len()` bytes from `offset`; 0 means the end of the stream.
    ///
    /// # Errors
    ///
    /// Whatever the underlying reader reports; [`io::ErrorKind::Interrupted`] is retried by the caller.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// The length of the stream, or `None` where that is only known at its end and the end was not reached so far.
    ///
    /// # Errors
    ///
    /// Whatever the underlying reader reports.
    fn size(&self) -> io::Result<Option<u64>>;

    /// True where reading forward is cheap and going back is not, as in a compressed stream.
    fn is_sequential(&self) -> bool {
        false
    }

    /// Called when a scan has read all it wants: reads what is left where only the end of the stream proves
    /// that the bytes were right (the CRC of a gzip member).
    ///
    /// # Errors
    ///
    /// When the stream proves to be damaged.
    fn check_to_end(&self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadAt for File {
    #[cfg(unix)]
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buf, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buf, offset)
    }

    fn size(&self) -> io::Result<Option<u64>> {
        self.metadata().map(|m| Some(m.len()))
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|o| self.get(o..)).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn size(&self) -> io::Result<Option<u64>> {
        Ok(Some(self.len() as u64))
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Arc<T> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        (**self).read_at(buf, offset)
    }

    fn size(&self) -> io::Result<Option<u64>> {
        (**self).size()
    }

    fn is_sequential(&self) -> bool {
        (**self).is_sequential()
    }

    fn check_to_end(&self) -> io::Result<()> {
        (**self).check_to_end()
    }
}

/// Fills as much of `buf` as the stream has, retrying interrupted and short reads.
pub(crate) fn read_full(source: &dyn ReadAt, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match source.read_at(&mut buf[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
