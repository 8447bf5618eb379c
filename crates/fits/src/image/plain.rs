//! Images that are stored as they are.

use super::scaling::Scaling;
use super::{bands, first_error};
use crate::error::{Error, ErrorKind};
use crate::file::Hdu;
use crate::machine;
use crate::sample::Sample;
use crate::source::read_full;
use crate::tile::shared_rows;
use std::ops::Range;

/// Bytes read at a time: large enough to make the system call cheap, small enough to stay in a core's cache.
const CHUNK_BYTES: usize = 128 << 10;

/// Pixels of a unit of work.
const BAND_PIXELS: u64 = 256 << 10;

pub(crate) struct Plain {
    hdu: Hdu,
    scaling: Scaling,
}

impl Plain {
    pub(crate) fn new(hdu: &Hdu, scaling: Scaling) -> Self {
        Self { hdu: hdu.clone(), scaling }
    }

    pub(crate) fn scaling(&self) -> &Scaling {
        &self.scaling
    }

    /// Reads what `region` holds into `out`, which has just the room and no page of which was touched if `fresh`.
    pub(crate) fn read<T: Sample>(
        &self,
        region: &[Range<u64>],
        out: &mut [T],
        fresh: bool,
    ) -> Result<(), Error> {
        let (whole, region) = self.joined(region);
        let pieces = bands(&region, 1, BAND_PIXELS, out);
        if self.hdu.shared.source.is_sequential() {
            return pieces.into_iter().try_for_each(|(region, out)| self.piece(&whole, &region, out));
        }
        self.hdu.whole()?;
        first_error(pieces, |(region, out)| {
            if fresh {
                machine::populate(out);
            }
            self.piece(&whole, &region, out)
        })
    }

    /// The image and the box with those of the fastest axes made one that lie behind each other in the file.
    fn joined(&self, region: &[Range<u64>]) -> (Vec<Range<u64>>, Vec<Range<u64>>) {
        let shape = self.hdu.shape();
        let partial = region.iter().zip(shape).rposition(|(r, &n)| *r != (0..n)).unwrap_or(0);
        let inner: u64 = shape[partial + 1..].iter().product();
        let mut whole: Vec<Range<u64>> = shape[..partial].iter().map(|&n| 0..n).collect();
        whole.push(0..shape[partial] * inner);
        let mut wanted = region[..partial].to_vec();
        wanted.push(region[partial].start * inner..region[partial].end * inner);
        (whole, wanted)
    }

    fn piece<T: Sample>(
        &self,
        whole: &[Range<u64>],
        region: &[Range<u64>],
        out: &mut [T],
    ) -> Result<(), Error> {
        let stored = self.scaling.stored;
        let size = stored.bytes();
        let longest = region.last().map_or(0, |r| r.end - r.start).min((CHUNK_BYTES / size) as u64);
        let mut buffer = vec![0; longest as usize * size];
        shared_rows(whole, region, |first, to, length| {
            let row = &mut out[to as usize..(to + length) as usize];
            let mut offset = first * size as u64;
            for out in row.chunks_mut(CHUNK_BYTES / size) {
                let bytes = &mut buffer[..out.len() * size];
                self.fetch(offset, bytes)?;
                self.scaling.bytes(bytes, stored, out);
                offset += bytes.len() as u64;
            }
            Ok(())
        })
    }

    fn fetch(&self, offset: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let at = self.hdu.data_offset() + offset;
        let location = |offset| self.hdu.shared.location(Some(self.hdu.index()), Some(offset));
        let found = read_full(&*self.hdu.shared.source, bytes, at).map_err(|e| Error::io(location(at), e))?;
        if found < bytes.len() {
            let (needed, found) = (self.hdu.data_bytes(), found as u64);
            let kind = ErrorKind::Truncated { what: "data", needed, found: offset + found };
            return Err(Error::new(location(at + found), kind));
        }
        Ok(())
    }
}
