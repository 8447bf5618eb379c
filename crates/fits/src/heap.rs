use crate::error::{Error, ErrorKind};
use crate::file::Hdu;
use crate::source::{ReadAt, read_full};

/// The part of a binary table that descriptors point into (FITS 4.0, section 7.3.5).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heap {
    /// Offset in the source.
    start: u64,
    /// Bytes.
    pub(crate) size: u64,
}

impl Heap {
    /// The heap of a table whose rows take `table` bytes: it starts at THEAP, by default after the rows.
    pub(crate) fn new(hdu: &Hdu, table: u64) -> Result<Self, ErrorKind> {
        let bad = |problem: String| ErrorKind::Header { keyword: "THEAP".into(), problem };
        let theap = crate::structure::integer_at_least(hdu.header(), "THEAP", 0)?;
        let theap = theap.map_or(table, i64::unsigned_abs);
        let end = hdu.data_bytes();
        if theap < table {
            return Err(bad(format!("is {theap}, but the rows take {table} bytes")));
        }
        // Without a heap PCOUNT is 0, and THEAP may say anything.
        let theap = if end <= table { table } else { theap };
        if theap > end {
            return Err(bad(format!("is {theap}, but the data take {end} bytes")));
        }
        // Both are within a file whose size was checked when its structure was read.
        Ok(Self { start: hdu.data_offset() + theap, size: end.saturating_sub(theap) })
    }

    /// Offset in the stream of a byte of the heap.
    pub(crate) fn offset(&self, at: u64) -> u64 {
        self.start.saturating_add(at)
    }

    /// Fills `out` from byte `at` of the heap on, which must lie within.
    pub(crate) fn read(&self, source: &dyn ReadAt, out: &mut [u8], at: u64) -> Result<(), ErrorKind> {
        let n = read_full(source, out, self.offset(at)).map_err(ErrorKind::io)?;
        if n < out.len() {
            let found = at + n as u64;
            return Err(ErrorKind::Truncated { what: "the heap", needed: self.size, found });
        }
        Ok(())
    }
}

/// Data of a sequential source that are read out of order, held in memory.
#[derive(Debug)]
pub(crate) struct Buffered {
    bytes: Vec<u8>,
    /// Offset of the first byte in the stream.
    start: u64,
}

impl Buffered {
    /// Reads the data of an HDU, as far as they are there; memory grows with what is, not with what the header says.
    pub(crate) fn read(hdu: &Hdu) -> Result<Self, Error> {
        const STEP: u64 = 1 << 20;
        let (wanted, limit) = (hdu.data_bytes(), hdu.shared.limits.buffer_bytes);
        if wanted > limit {
            let what = "the size of a compressed file's heap";
            return Err(hdu.error(ErrorKind::Limit { what, wanted, limit }));
        }
        let (start, mut bytes) = (hdu.data_offset(), Vec::new());
        while (bytes.len() as u64) < wanted {
            let at = bytes.len();
            let step = STEP.max(at as u64).min(wanted - at as u64) as usize;
            bytes.resize(at + step, 0);
            let here = |n: u64| hdu.shared.location(Some(hdu.index()), Some(start + n));
            let n = read_full(&*hdu.shared.source, &mut bytes[at..], start + at as u64)
                .map_err(|e| Error::io(here(at as u64), e))?;
            if n < step {
                let found = (at + n) as u64;
                let kind = ErrorKind::Truncated { what: "data", needed: wanted, found };
                return Err(Error::new(here(found), kind));
            }
        }
        Ok(Self { bytes, start })
    }
}

impl ReadAt for Buffered {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<usize> {
        match offset.checked_sub(self.start) {
            Some(offset) => self.bytes.read_at(buf, offset),
            None => Ok(0),
        }
    }

    fn size(&self) -> std::io::Result<Option<u64>> {
        Ok(Some(self.start + self.bytes.len() as u64))
    }
}
