//! Arbitrary bytes as the stream of one tile of 13 x 11 pixels: the first byte picks the codec and the pixel type.
#![no_main]

use coaddkit_fits::Fits;
use libfuzzer_sys::fuzz_target;

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

fn padded(cards: &str) -> Vec<u8> {
    let cards = cards.lines().filter(|c| !c.is_empty()).chain(["END"]);
    let mut header: Vec<u8> = cards.flat_map(|c| format!("{c:80}").into_bytes()).collect();
    header.resize(header.len().next_multiple_of(2880), b' ');
    header
}

fuzz_target!(|input: &[u8]| {
    let Some((&pick, stream)) = input.split_first() else { return };
    let ((codec, more), kind) = (CODECS[pick as usize % 9], TYPES[pick as usize / 9 % 6]);
    let words = codec == "PLIO_1";
    let (form, count) = if words { ("1PI", stream.len() / 2) } else { ("1PB", stream.len()) };
    let mut bytes = padded("SIMPLE  = T\nBITPIX  = 8\nNAXIS   = 0");
    bytes.extend(padded(&format!(
        "XTENSION= 'BINTABLE'\nBITPIX  = 8\nNAXIS   = 2\nNAXIS1  = 8\nNAXIS2  = 1\nPCOUNT  = {}\nGCOUNT  = 1\n\
         TFIELDS = 1\nTTYPE1  = 'COMPRESSED_DATA'\nTFORM1  = '{form}'\nZIMAGE  = T\nZCMPTYPE= '{codec}'\n{kind}\n\
         ZNAXIS  = 2\nZNAXIS1 = 11\nZNAXIS2 = 13\nZTILE1  = 11\nZTILE2  = 13\n{more}",
        stream.len()
    )));
    bytes.extend((count as u32).to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend_from_slice(stream);
    let Ok(image) = Fits::from_source(bytes).and_then(|f| f.hdu(1)).and_then(|h| h.image()) else { return };
    if let Ok(pixels) = image.read_pixels() {
        assert_eq!(pixels.len(), 13 * 11);
    }
});
