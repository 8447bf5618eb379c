//! Arbitrary bytes as the stream of one tile of 13 x 11 pixels: the first byte picks the codec and the pixel type.

use super::reading::pixels;
use super::source::{header, open, primary};
use coaddkit_fits::{ErrorClass, ErrorKind, Level};

const CODECS: [(&str, &str); 9] = [
    ("RICE_1", ""),
    ("RICE_1", "ZNAME1  = 'BYTEPIX'\nZVAL1   = 1\nZNAME2  = 'BLOCKSIZE'\nZVAL2   = 16"),
    ("RICE_ONE", "ZNAME1  = 'BLOCKSIZE'\nZVAL1   = 32\nZNAME2  = 'BYTEPIX'\nZVAL2   = 2"),
    ("GZIP_1", ""),
    ("GZIP_2", ""),
    ("HCOMPRESS_1", ""),
    ("HCOMPRESS_1", "ZNAME1  = 'SCALE'\nZVAL1   = 4\nZNAME2  = 'SMOOTH'\nZVAL2   = 1"),
    ("PLIO_1", ""),
    ("NOCOMPRESS", ""),
];

const TYPES: [&str; 6] = [
    "ZBITPIX = 8",
    "ZBITPIX = 16",
    "ZBITPIX = 32",
    "ZBITPIX = 64",
    "ZBITPIX = -32\nZSCALE  = 0.5\nZZERO   = 3\nZQUANTIZ= 'SUBTRACTIVE_DITHER_2'\nZBLANK  = -2147483647",
    "ZBITPIX = -64",
];

pub fn run(input: &[u8]) {
    let Some((&pick, stream)) = input.split_first() else { return };
    let ((codec, more), kind) = (CODECS[pick as usize % 9], TYPES[pick as usize / 9 % 6]);
    let words = codec == "PLIO_1";
    let (form, count) = if words { ("1PI", stream.len() / 2) } else { ("1PB", stream.len()) };
    let cards = format!(
        "XTENSION= 'BINTABLE'\nBITPIX  = 8\nNAXIS   = 2\nNAXIS1  = 8\nNAXIS2  = 1\nPCOUNT  = {}\nGCOUNT  = 1\n\
         TFIELDS = 1\nTTYPE1  = 'COMPRESSED_DATA'\nTFORM1  = '{form}'\nZIMAGE  = T\nZCMPTYPE= '{codec}'\n{kind}\n\
         ZNAXIS  = 2\nZNAXIS1 = 11\nZNAXIS2 = 13\nZTILE1  = 11\nZTILE2  = 13\n{more}",
        stream.len()
    );
    let mut bytes = primary();
    bytes.extend(header(cards.lines().map(str::as_bytes)));
    bytes.extend((count as u32).to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend_from_slice(stream);
    bytes.resize(bytes.len().next_multiple_of(2880), 0);
    let fits = open(&bytes).expect("a valid start");
    let Ok(image) = fits.hdu(1).and_then(|h| h.image()) else { return };
    let found = fits.verify(Level::Pixels).expect("memory can be read");
    match pixels(&image, &[0..13, 0..11]) {
        Ok(whole) => {
            assert_eq!(whole.len(), 13 * 11);
            assert!(found.is_empty(), "{found:?}");
            // Working space that was used before changes nothing, and a part is a part.
            let part = pixels(&image, &[3..9, 2..10]).expect("a part of what can be read");
            let rows = whole.chunks(11).skip(3).take(6);
            assert!(rows.flat_map(|row| &row[2..10]).eq(&part));
            assert_eq!(pixels(&image, &[0..13, 0..11]).ok(), Some(whole));
        }
        Err(error) => {
            assert_eq!(error.class(), ErrorClass::Data, "{error}");
            assert!(matches!(error.kind(), ErrorKind::Tile { tile: 0, .. }), "{error:?}");
            let at = error.location().offset.expect("it says where");
            assert!((5760..=bytes.len() as u64).contains(&at), "{error}");
            assert!(!found.is_empty());
        }
    }
}
