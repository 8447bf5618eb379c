//! Views of fields as they stand in the rows: text, logicals, bits.

/// A view of a fixed-width byte field in every row of a block; nothing is copied.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// From the first byte of the field in the first row.
    bytes: &'a [u8],
    stride: usize,
    width: usize,
    rows: usize,
}

impl<'a> Text<'a> {
    /// `bytes` are whole rows of `stride` bytes.
    pub(crate) fn new(bytes: &'a [u8], stride: usize, offset: usize, width: usize) -> Self {
        let rows = bytes.len().checked_div(stride).unwrap_or(0);
        Self { bytes: bytes.get(offset..).unwrap_or(&[]), stride, width, rows }
    }

    /// One row that is all of `bytes`.
    pub(crate) fn single(bytes: &'a [u8]) -> Self {
        Self { bytes, stride: bytes.len(), width: bytes.len(), rows: 1 }
    }

    /// One row by itself.
    pub(crate) fn row(&self, row: usize) -> Self {
        Self::single(self.field(row))
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// True if the block has no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Bytes from a field to that of the next row.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Bytes of the field.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All bytes from the first field on, for code that walks the stride itself.
    pub fn as_strided(&self) -> &'a [u8] {
        self.bytes
    }

    /// The whole field of a row; empty past the last row.
    #[inline]
    pub fn field(&self, row: usize) -> &'a [u8] {
        let start = row.saturating_mul(self.stride);
        self.bytes.get(start..).and_then(|b| b.get(..self.width)).unwrap_or(&[])
    }

    /// The text of a row: up to the first NUL, without trailing blanks (FITS 4.0, section 7.3.3.1).
    #[inline]
    pub fn get(&self, row: usize) -> &'a [u8] {
        string(self.field(row))
    }
}

/// A string: up to the first NUL, without trailing blanks.
pub(crate) fn string(field: &[u8]) -> &[u8] {
    let mut text = &field[..field.iter().position(|&b| b == 0).unwrap_or(field.len())];
    while let [rest @ .., b' '] = text {
        text = rest;
    }
    text
}

/// Without the blanks around it.
pub(crate) fn trimmed(mut field: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = field {
        field = rest;
    }
    field
}

/// Logicals as they stand in the file, true, false or null; nothing is copied.
#[derive(Clone, Copy, Debug)]
pub struct Logicals<'a> {
    stored: Text<'a>,
}

impl<'a> Logicals<'a> {
    pub(crate) fn new(stored: Text<'a>) -> Self {
        Self { stored }
    }

    pub(crate) fn row(&self, row: usize) -> Self {
        Self { stored: self.stored.row(row) }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.stored.len()
    }

    /// True if the block has no row.
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty()
    }

    /// Logicals in a row.
    pub fn repeat(&self) -> usize {
        self.stored.width()
    }

    /// The bytes of the file: `T`, `F`, or 0 for null.
    pub fn stored(&self) -> Text<'a> {
        self.stored
    }

    /// An element of a row. `None` for null, which is 0 and also any byte that is neither `T` nor `F`, and past
    /// the end.
    #[inline]
    pub fn get(&self, row: usize, element: usize) -> Option<bool> {
        match self.stored.field(row).get(element) {
            Some(b'T') => Some(true),
            Some(b'F') => Some(false),
            _ => None,
        }
    }

    /// All elements, row after row.
    pub fn iter(&self) -> impl Iterator<Item = Option<bool>> + use<'a> {
        let this = *self;
        (0..self.len()).flat_map(move |row| (0..this.repeat()).map(move |n| this.get(row, n)))
    }
}

/// Bits packed as in the file, most significant first; nothing is copied.
#[derive(Clone, Copy, Debug)]
pub struct Bits<'a> {
    stored: Text<'a>,
    repeat: usize,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(stored: Text<'a>, repeat: usize) -> Self {
        Self { stored, repeat }
    }

    pub(crate) fn row(&self, row: usize) -> Self {
        Self { stored: self.stored.row(row), repeat: self.repeat }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.stored.len()
    }

    /// True if the block has no row.
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty()
    }

    /// Bits in a row.
    pub fn repeat(&self) -> usize {
        self.repeat
    }

    /// The packed bytes; what follows the last bit of a row has no meaning.
    pub fn stored(&self) -> Text<'a> {
        self.stored
    }

    /// A bit of a row; false past the end.
    #[inline]
    pub fn get(&self, row: usize, bit: usize) -> bool {
        bit < self.repeat && self.stored.field(row).get(bit / 8).is_some_and(|b| b >> (7 - bit % 8) & 1 == 1)
    }

    /// All bits, row after row.
    pub fn iter(&self) -> impl Iterator<Item = bool> + use<'a> {
        let this = *self;
        (0..self.len()).flat_map(move |row| (0..this.repeat).map(move |n| this.get(row, n)))
    }
}
