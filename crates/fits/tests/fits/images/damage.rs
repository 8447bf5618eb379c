//! Damaged and hostile compressed images: errors that say where, and never a panic.

use super::conformance::files;
use coaddkit_fits::{ErrorClass, ErrorKind, Fits, HduKind, Image, Limits};
use coaddkit_testkit::shared;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Decodes all images of a file, as far as they are small.
fn walk(bytes: Vec<u8>) {
    let Ok(fits) = Fits::from_source(bytes) else { return };
    for hdu in fits.hdus().map_while(Result::ok) {
        if hdu.kind() != HduKind::Image {
            continue;
        }
        let Ok(image) = hdu.image() else { continue };
        let small =
            image.shape().iter().try_fold(1_u64, |n, &s| n.checked_mul(s)).is_some_and(|n| n < 1 << 22);
        if small {
            _ = image.read_pixels();
        }
        let corner: Vec<_> = image.shape().iter().map(|&n| n.saturating_sub(3)..n).collect();
        if small {
            _ = image.sections(1 << 16).section::<f64>(&corner);
        }
    }
}

/// Flipped bytes and cut ends in every file of the set and in real ones; half of the damage is in the heap.
#[test]
fn mutated_files_never_panic() {
    let mut all: Vec<Vec<u8>> = files().into_iter().map(|f| f.1).collect();
    for real in
        ["ap_compressed_with_nan.fits", "ap_m13_gzip.fits", "ap_m13_rice.fits", "nt_m13real_rice.fits"]
    {
        if let Some(path) = shared(&format!("data/fits-comp/{real}")) {
            all.push(std::fs::read(path).unwrap());
        }
    }
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 1500, failure_persistence: None, ..Default::default() });
    let flips = prop::collection::vec((any::<usize>(), any::<u8>(), any::<bool>()), 1..12);
    let strategy = (any::<usize>(), flips, prop::option::weighted(0.2, any::<usize>()));
    runner
        .run(&strategy, |(which, flips, cut)| {
            let mut bytes = all[which % all.len()].clone();
            let length = bytes.len();
            for (at, with, late) in flips {
                let from = if late { length.saturating_sub(2880 * 2) } else { 2880.min(length - 1) };
                bytes[from + at % (length - from)] = with;
            }
            if let Some(cut) = cut {
                bytes.truncate(2880 + cut % (length - 2880));
            }
            walk(bytes);
            Ok(())
        })
        .unwrap();
}

/// A compressed image of one tile of 8 x 10 with this stream.
fn one_tile(codec: &str, bitpix: i64, stream: &[u8], more: &[&str]) -> Vec<u8> {
    let mut cards: Vec<String> = [
        "XTENSION= 'BINTABLE'",
        "BITPIX  = 8",
        "NAXIS   = 2",
        "NAXIS1  = 8",
        "NAXIS2  = 1",
        &format!("PCOUNT  = {}", stream.len()),
        "GCOUNT  = 1",
        "TFIELDS = 1",
        "TTYPE1  = 'COMPRESSED_DATA'",
        if codec == "PLIO_1" { "TFORM1  = '1PI'" } else { "TFORM1  = '1PB'" },
        "ZIMAGE  = T",
        &format!("ZCMPTYPE= '{codec}'"),
        &format!("ZBITPIX = {bitpix}"),
        "ZNAXIS  = 2",
        "ZNAXIS1 = 10",
        "ZNAXIS2 = 8",
        "ZTILE1  = 10",
        "ZTILE2  = 8",
    ]
    .map(str::to_owned)
    .to_vec();
    cards.extend(more.iter().map(|&c| c.to_owned()));
    let pad = |cards: &[String]| {
        let mut header: Vec<u8> = cards.iter().flat_map(|c| format!("{c:80}").into_bytes()).collect();
        header.extend(format!("{:80}", "END").into_bytes());
        header.resize(header.len().next_multiple_of(2880), b' ');
        header
    };
    let mut bytes = pad(&["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0"].map(str::to_owned));
    bytes.extend(pad(&cards));
    let count = if codec == "PLIO_1" { stream.len() / 2 } else { stream.len() };
    bytes.extend((count as u32).to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(stream);
    bytes.resize(bytes.len().next_multiple_of(2880), 0);
    bytes
}

fn image(codec: &str, bitpix: i64, stream: &[u8], more: &[&str]) -> Image {
    let fits = Fits::from_source(one_tile(codec, bitpix, stream, more)).unwrap();
    fits.hdu(1).unwrap().image().unwrap_or_else(|e| panic!("{e}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_streams_never_panic(
        codec in 0_usize..8,
        bitpix in prop::sample::select(vec![8_i64, 16, 32, 64]),
        stream in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let rice: [&str; 4] = ["ZNAME1  = 'BYTEPIX'", "ZVAL1   = 1", "ZNAME2  = 'BLOCKSIZE'", "ZVAL2   = 32"];
        let (name, more): (_, &[&str]) = match codec {
            0 => ("RICE_1", &[]),
            1 => ("RICE_1", &["ZNAME1  = 'BYTEPIX'", "ZVAL1   = 2"]),
            2 => ("RICE_ONE", &rice),
            3 => ("GZIP_1", &[]),
            4 => ("GZIP_2", &[]),
            5 => ("PLIO_1", &[]),
            6 => ("NOCOMPRESS", &[]),
            _ => ("HCOMPRESS_1", &["ZNAME1  = 'SMOOTH'", "ZVAL1   = 1"]),
        };
        let mut stream = stream;
        if name == "HCOMPRESS_1" {
            // Past the first checks: magic, size, scale, sum and planes of a plausible stream.
            let head = [0xdd, 0x99, 0, 0, 0, 8, 0, 0, 0, 10, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 9, 0, 12, 9, 8];
            stream.splice(0..0, head);
        }
        let image = image(name, bitpix, &stream, more);
        if let Ok(pixels) = image.read_pixels() {
            prop_assert_eq!(pixels.len(), 80);
        }
    }
}

/// The message of the error that reading gives.
fn message(image: &Image) -> String {
    let error = image.read_pixels().unwrap_err();
    assert_eq!(error.class(), ErrorClass::Data, "{error}");
    let ErrorKind::Tile { tile: 0, .. } = error.kind() else { panic!("{error}") };
    assert_eq!((error.location().hdu, error.location().row), (Some(1), Some(0)));
    error.to_string()
}

#[test]
fn streams_that_end_early_are_errors() {
    // Eighty different pixels as they are: five bits of split, then 32 bits each.
    let good = files().into_iter().find(|f| f.0 == "rice_i4_noise.fits").unwrap();
    let pixels = Fits::from_source(good.1).unwrap().hdu(1).unwrap().image().unwrap().read::<i32>().unwrap();
    assert_eq!(pixels.len(), 41 * 67);
    // Rice: all pixels equal take five bits a block of 32.
    let flat = [0, 0, 0, 9, 0, 0];
    assert_eq!(image("RICE_1", 32, &flat, &[]).read::<i32>().unwrap(), [9; 80]);
    assert!(
        message(&image("RICE_1", 32, &flat[..5], &[]))
            .contains("byte 5773: tile 0 (RICE_1): the stream ends early")
    );
    // A block that uses splits that do not exist.
    let text = message(&image("RICE_1", 32, &[0, 0, 0, 9, 0xf8, 0, 0], &[]));
    assert!(text.contains("split at bit 30"), "{text}");
    // PLIO: a header of seven words and runs of zeros.
    let plio = |words: &[u16]| {
        let count = 7 + words.len() as u16;
        let all = [&[0, 7, (-100_i16) as u16, count, 0, 0, 0], words].concat();
        image("PLIO_1", 32, &all.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<_>>(), &[])
    };
    assert_eq!(plio(&[80]).read::<i32>().unwrap(), [0; 80]);
    assert_eq!(plio(&[0x2004, 0x4050]).read::<i32>().unwrap(), [5; 80]);
    assert!(message(&plio(&[79])).contains("it holds 79 pixels, the tile has 80"));
    assert!(message(&plio(&[81])).contains("it holds too many pixels"));
    assert!(message(&plio(&[0x9000, 80])).contains("instruction 9 does not exist"));
    // GZIP: too short, too long, a wrong CRC, and what is no gzip stream.
    let gzip = |pixels: usize| coaddkit_testkit::gzip(&vec![1; pixels]);
    let image8 = |stream: &[u8]| image("GZIP_1", 8, stream, &[]);
    assert_eq!(image8(&gzip(80)).read::<u8>().unwrap(), [1; 80]);
    assert!(message(&image8(&gzip(79))).contains("it holds 79 bytes"));
    assert!(message(&image8(&gzip(321))).contains("it holds more than 320 bytes"));
    assert!(message(&image8(&gzip(80)[..20])).contains("ends early"));
    let mut bad = gzip(80);
    let crc = bad.len() - 8;
    bad[crc] ^= 1;
    assert!(message(&image8(&bad)).contains("does not match"));
    assert!(message(&image8(b"no gzip stream at all")).contains("it is no gzip stream"));
    // HCOMPRESS of another size, and with planes that the stream does not have.
    let head = |rows: u8, planes: u8| {
        [0xdd, 0x99, 0, 0, 0, rows, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, planes, 0, 0]
    };
    let hcompress = |stream: &[u8]| image("HCOMPRESS_1", 16, stream, &[]);
    assert_eq!(hcompress(&[&head(8, 0)[..], &[0]].concat()).read::<i16>().unwrap(), [0; 80]);
    assert!(
        message(&hcompress(&[&head(9, 0)[..], &[0]].concat())).contains("9 x 10 pixels, the tile has 80")
    );
    assert!(message(&hcompress(&head(8, 0))).contains("ends early"));
    assert!(message(&hcompress(&[&head(8, 9)[..], &[0]].concat())).contains("ends early"));
    assert!(message(&hcompress(&[&head(8, 99)[..], &[0]].concat())).contains("99 bit planes"));
    assert!(message(&hcompress(&[&head(8, 1)[..], &[0x50]].concat())).contains("unknown format 5"));
    // Pixels beyond the range of their type.
    let text = message(&image("RICE_1", 16, &[0, 1, 0, 0, 0, 0], &[]));
    assert!(text.contains("pixel 0 is 65536, beyond the range of ZBITPIX"), "{text}");
}

#[test]
fn descriptors_outside_the_heap_are_errors() {
    let mut bytes = one_tile("RICE_1", 32, &[0, 0, 0, 9, 0, 0], &[]);
    bytes[5760..5764].copy_from_slice(&7_u32.to_be_bytes());
    let image = Fits::from_source(bytes.clone()).unwrap().hdu(1).unwrap().image().unwrap();
    let text = message(&image);
    assert!(
        text.contains("HDU 1, row 0, byte 5760") && text.contains("7 elements from byte 0 of a heap of 6"),
        "{text}"
    );
    bytes[5760..5764].copy_from_slice(&0_u32.to_be_bytes());
    let image = Fits::from_source(bytes).unwrap().hdu(1).unwrap().image().unwrap();
    assert!(message(&image).contains("it has no data"));
}

#[test]
fn headers_that_make_no_sense_are_errors() {
    let open = |from: &str, to: &str| {
        let bytes = String::from_utf8(one_tile("RICE_1", 32, &[0; 6], &[])).unwrap();
        assert!(bytes.contains(from), "{from}");
        assert_eq!(from.len(), to.len());
        let fits = Fits::from_source(bytes.replacen(from, to, 1).into_bytes()).unwrap();
        fits.hdu(1).and_then(|h| h.image()).unwrap_err()
    };
    for (from, to, why) in [
        ("ZTILE2  = 8 ", "ZTILE2  = 4 ", "NAXIS2 is 1, but the image has 2 tiles"),
        ("ZBITPIX = 32", "ZBITPIX = 33", "ZBITPIX is 33"),
        ("ZBITPIX = 32 ", "ZBITPIX = -32", "ZCMPTYPE is RICE_1, which cannot hold floats"),
        ("'COMPRESSED_DATA'", "'COMPRESSED_DATE'", "TTYPEn name no column COMPRESSED_DATA"),
        ("'1PB'", "'8A' ", "TFORM of COMPRESSED_DATA is 8A, must be an array of numbers"),
        ("'RICE_1'", "'MICE_1'", "the compression MICE_1 (ZCMPTYPE) is not supported"),
        ("ZNAXIS1 = 10              ", "ZNAXIS1 = 4000000000000000", "the image has 400000000000000 tiles"),
        ("ZNAXIS1 = 10                    ", "ZNAXIS1 = 4000000000000000000000", "ZNAXIS1 is 4e21"),
    ] {
        let error = open(from, to);
        assert!(error.to_string().contains(why), "{from} -> {to}: {error}");
        assert!(error.to_string().starts_with("HDU 1"), "{error}");
    }
}

/// A tile is one row where no ZTILEn says otherwise, also of an image whose rows have no pixels.
#[test]
fn rows_without_pixels_make_no_tile() {
    let bytes = String::from_utf8(one_tile("RICE_1", 32, &[0; 6], &[])).unwrap();
    let bytes = bytes.replacen("ZTILE1  = 10", "YTILE1  = 10", 1).replacen("ZNAXIS1 = 10", "ZNAXIS1 = 0 ", 1);
    let fits = Fits::from_source(bytes.into_bytes()).unwrap();
    let error = fits.hdu(1).and_then(|h| h.image()).unwrap_err();
    assert!(error.to_string().contains("NAXIS2 is 1, but the image has 0 tiles"), "{error}");
}

/// A tile that claims to be large is not given memory before its stream shows that it may be.
#[test]
fn large_claims_are_refused_first() {
    let stream = [0, 0, 0, 9, 0, 0];
    let bytes = String::from_utf8(one_tile("RICE_1", 32, &stream, &[])).unwrap();
    let bytes = bytes.replacen("ZTILE1  = 10       ", "ZTILE1  = 200000000", 1);
    let bytes = bytes.replacen("ZNAXIS1 = 10      ", "ZNAXIS1 = 20000000", 1);
    let image = Fits::from_source(bytes.into_bytes()).unwrap().hdu(1).unwrap().image().unwrap();
    assert_eq!(image.shape(), [8, 20_000_000]);
    let mut section = [0_i32; 1];
    let error = image.section_into(&[0..1, 0..1], &mut section).unwrap_err();
    assert!(error.to_string().contains("the stream ends early"), "{error}");
    assert!(Limits::default().tile_bytes >= 8 * 20_000_000 * 4);
}
