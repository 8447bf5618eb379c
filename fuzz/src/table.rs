//! Cards and rows behind a valid start, so that most inputs reach the table reader: the first byte says how many
//! times 16 bytes are cards of the extension, the rest are its data. All ways of reading must agree.

use super::reading::columns;
use super::source::{header, open, open_stream, primary};
use coaddkit_fits::{ErrorClass, Level, Severity};

/// Cards that start so are those of an ASCII table.
const ASCII: &[u8] = b"ASCII\n";

/// Rows looked at.
const ROWS: u64 = 3000;

pub fn run(input: &[u8]) {
    let Some((&count, rest)) = input.split_first() else { return };
    let (text, data) = rest.split_at(rest.len().min(usize::from(count) * 16));
    let (kind, text): (&[u8], _) = match text.strip_prefix(ASCII) {
        Some(text) => (b"XTENSION= 'TABLE'", text),
        None => (b"XTENSION= 'BINTABLE'", text),
    };
    let fixed = [kind, b"BITPIX  = 8", b"NAXIS   = 2"];
    let bytes =
        [primary(), header(fixed.into_iter().chain(text.split(|&b| b == b'\n'))), data.to_vec()].concat();
    let table = open(&bytes).and_then(|f| f.hdu(1)).and_then(|h| h.table());
    let stream = open_stream(&bytes).and_then(|f| f.hdu(1)).and_then(|h| h.table());
    assert_eq!(table.is_ok(), stream.is_ok(), "{table:?} {stream:?}");
    let (Ok(table), Ok(stream)) = (table, stream) else { return };

    let read = |chunk_bytes| columns(&table, chunk_bytes, 0..ROWS, 0..ROWS);
    let one = match (read(1), read(1 << 20)) {
        (Ok(one), Ok(all)) => {
            assert_eq!(one, all);
            one
        }
        (Err(a), Err(b)) => {
            assert!([a.class(), b.class()].iter().all(|c| matches!(c, ErrorClass::Data | ErrorClass::Limit)));
            return;
        }
        (one, all) => panic!("{one:?} and {all:?}"),
    };
    // A part is that part of the whole.
    let middle = table.rows().min(ROWS) / 2;
    let part = middle / 2..middle + 1;
    let of_all = columns(&table, 4096, 0..ROWS, part.clone());
    assert_eq!(columns(&table, 4096, part.clone(), part).ok(), of_all.ok());
    // In order, from a stream; what is read out of order is held in memory, and may be too much for it.
    match columns(&stream, 2000, 0..ROWS, 0..ROWS) {
        Ok(ordered) => assert_eq!(ordered, one),
        Err(error) => assert!(error.class() == ErrorClass::Limit || table.rows() > ROWS, "{error}"),
    }
    // Where nothing is wrong with all rows, nothing is found.
    if table.rows() <= ROWS {
        let fits = open(&bytes).expect("it did open");
        let decoded = fits.verify(Level::Pixels).expect("memory can be read");
        let wrong = |f: &&coaddkit_fits::Finding| f.level == Level::Pixels && f.severity == Severity::Error;
        let wrong: Vec<_> = decoded.iter().filter(wrong).filter(|f| f.hdu == Some(1)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
