//! Files at the edge of what can be written down: odd ones are read, absurd ones refused in words, and none takes
//! memory or time that its bytes do not justify.

use crate::verify::{errors, look};
use coaddkit_fits::{Error, ErrorClass, Fits, HduKind, Level, Limits, ReadAt, Severity};
use coaddkit_testkit::{Column, FitsTable, damage, gzip, image_extension};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// A header of these cards, one a line.
fn header(cards: &str) -> Vec<u8> {
    let mut out: Vec<u8> =
        cards.lines().chain(["END"]).flat_map(|c| format!("{c:80}").into_bytes()).collect();
    out.resize(out.len().next_multiple_of(2880), b' ');
    out
}

fn padded(mut data: Vec<u8>) -> Vec<u8> {
    data.resize(data.len().next_multiple_of(2880), 0);
    data
}

fn open(bytes: &[u8]) -> Result<Fits, Error> {
    Fits::from_source(bytes.to_vec())
}

#[test]
fn images_of_many_axes_and_of_none() {
    let axes: String = (1..=999)
        .map(|n| format!("NAXIS{n} = 1\n"))
        .map(|c| format!("{:8}{}", &c[..c.find(' ').unwrap()], &c[c.find('=').unwrap()..]))
        .collect();
    let bytes =
        [header(&format!("SIMPLE  = T\nBITPIX  = 8\nNAXIS   = 999\n{axes}")), padded(vec![7])].concat();
    let image = open(&bytes).unwrap().hdu(0).unwrap().image().unwrap();
    assert_eq!((image.shape().len(), image.read::<u8>().unwrap()), (999, vec![7]));
    assert_eq!(image.section::<f32>(&vec![0..1; 999]).unwrap(), [7.0]);
    assert_eq!(look(&bytes, Level::Pixels), []);
    // An axis without a length, wherever it is.
    for sizes in [[0, 5], [5, 0], [0, i64::MAX]] {
        let cards = format!(
            "SIMPLE  = T\nBITPIX  = -32\nNAXIS   = 2\nNAXIS1  = {}\nNAXIS2  = {}",
            sizes[0], sizes[1]
        );
        let fits = open(&header(&cards)).unwrap();
        let image = fits.hdu(0).unwrap().image().unwrap();
        assert!(image.is_empty() && image.read::<f32>().unwrap().is_empty());
        assert_eq!(fits.verify(Level::Pixels).unwrap(), [], "{sizes:?}");
    }
    // More than a file can have, and more than this one has.
    for (size, says) in [
        (i64::MAX, "data size that no file can have"),
        (1 << 62, "data size that no file can have"),
        (1 << 59, "truncated: data needs 2305843009213693952 bytes, 2880 are there"),
    ] {
        let cards = format!("SIMPLE  = T\nBITPIX  = -32\nNAXIS   = 1\nNAXIS1  = {size}");
        let bytes = [header(&cards), padded(vec![0])].concat();
        let error = open(&bytes)
            .and_then(|f| f.hdu(0))
            .and_then(|h| h.image())
            .and_then(|i| i.section::<f32>(std::slice::from_ref(&(0..4))));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(says), "{size}: {error}");
        let findings = look(&bytes, Level::Pixels);
        assert!(
            findings.len() == 1 && findings[0].what.contains(says) && findings[0].hdu == Some(0),
            "{findings:?}"
        );
    }
}

#[test]
fn blank_is_for_integers() {
    let cards = |bitpix: i64, blank: &str| {
        header(&format!("SIMPLE  = T\nBITPIX  = {bitpix}\nNAXIS   = 1\nNAXIS1  = 2\nBLANK   = {blank}"))
    };
    let floats =
        [cards(-32, "-1"), padded([1.5_f32, -1.0].iter().flat_map(|v| v.to_be_bytes()).collect())].concat();
    let image = open(&floats).unwrap().hdu(0).unwrap().image().unwrap();
    assert_eq!(image.read::<f32>().unwrap(), [1.5, -1.0]);
    let findings = look(&floats, Level::Pixels);
    assert_eq!((findings.len(), findings[0].severity, findings[0].offset), (1, Severity::Warning, Some(320)));
    assert!(findings[0].what.contains("BLANK is -1, but floating-point pixels have none"), "{findings:?}");

    let integers = |blank| [cards(16, blank), padded(vec![0, 9, 0x80, 0])].concat();
    let image = open(&integers("-32768")).unwrap().hdu(0).unwrap().image().unwrap();
    let pixels = image.read::<f32>().unwrap();
    assert!(pixels[0] == 9.0 && pixels[1].is_nan());
    assert_eq!(look(&integers("-32768"), Level::Pixels), []);
    let image = open(&integers("-32768.0")).unwrap().hdu(0).unwrap().image().unwrap();
    assert_eq!(image.read::<i16>().unwrap(), [9, -32768]);
    let findings = look(&integers("-32768.0"), Level::Structure);
    assert!(findings.len() == 1 && findings[0].what.contains("must be an integer"), "{findings:?}");
}

#[test]
fn random_groups_are_told_but_not_read() {
    let cards = "SIMPLE  = T\nBITPIX  = 16\nNAXIS   = 3\nNAXIS1  = 0\nNAXIS2  = 4\nNAXIS3  = 2\nGROUPS  = T\nPCOUNT  = 3\nGCOUNT  = 5";
    // Five groups of three parameters and eight pixels.
    let bytes =
        [header(cards), padded(vec![1; 5 * 11 * 2]), image_extension("NEXT", 8, &[2], &[4, 5])].concat();
    let fits = open(&bytes).unwrap();
    let groups = fits.hdu(0).unwrap();
    assert_eq!((groups.kind(), groups.data_bytes()), (HduKind::Groups, 110));
    for error in [groups.image().map(drop), groups.table().map(drop)] {
        let error = error.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Caller);
        assert!(error.to_string().contains("this HDU is random groups, not"), "{error}");
    }
    assert_eq!(fits.hdu_named("next").unwrap().image().unwrap().read::<u8>().unwrap(), [4, 5]);
    assert_eq!(look(&bytes, Level::Pixels), []);
    // The data are there to the byte, or it is said where they end.
    let findings = look(&bytes[..bytes.len() - 5760 - 2880 + 100], Level::Size);
    assert!(
        findings.len() == 1 && findings[0].what.contains("data needs 110 bytes, 100 are there"),
        "{findings:?}"
    );
}

/// An extension of a type that nobody has registered takes the room that its keywords say.
#[test]
fn foreign_extensions_are_stepped_over() {
    let cards = "XTENSION= 'FOREIGN'\nBITPIX  = 16\nNAXIS   = 1\nNAXIS1  = 3000\nPCOUNT  = 10\nGCOUNT  = 2";
    let bytes = [
        header("SIMPLE  = T\nBITPIX  = 8\nNAXIS   = 0"),
        header(cards),
        padded(vec![1; 2 * 2 * 3010]),
        image_extension("NEXT", 8, &[2], &[4, 5]),
    ]
    .concat();
    let fits = open(&bytes).unwrap();
    let foreign = fits.hdu(1).unwrap();
    assert_eq!((foreign.kind(), foreign.data_bytes()), (HduKind::Other, 12_040));
    let error = foreign.image().unwrap_err();
    assert!(error.to_string().contains("this HDU is an extension of type FOREIGN, not an image"), "{error}");
    assert_eq!(fits.hdu_named("next").unwrap().image().unwrap().read::<u8>().unwrap(), [4, 5]);
    assert_eq!(look(&bytes, Level::Pixels), []);
}

#[test]
fn headers_without_end_are_cut_off_by_the_limit() {
    let card = format!("{:80}", "COMMENT and so on");
    let endless =
        format!("{:80}{:80}{:80}", "SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0") + &card.repeat(1_000_000);
    let error = open(endless.as_bytes()).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Limit);
    assert!(error.to_string().contains("the header size is 16778880, over the limit of 16777216"), "{error}");
    // Below it, a header of many cards is one like any other, and looked through once.
    let mut many = endless[..80 * 200_000].to_owned();
    many.push_str(&format!("{:80}", "END"));
    let many = many + &" ".repeat(2880);
    let whole = many.len() / 2880 * 2880;
    let fits = open(&many.as_bytes()[..whole]).unwrap();
    assert_eq!(fits.hdu(0).unwrap().header().len(), 200_000);
    assert_eq!(fits.verify(Level::Pixels).unwrap(), []);
    assert!(look(&endless.as_bytes()[..100_000], Level::Size)[0].what.contains("no END card"));
}

#[test]
fn bytes_outside_ascii_are_kept_and_noted() {
    let mut bytes =
        header("SIMPLE  = T\nBITPIX  = 8\nNAXIS   = 0\nOBSERVER= 'Angstr?m'\nCOMMENT caf? ?\n?BAD    = 1");
    bytes.iter_mut().filter(|b| **b == b'?').zip([0xc5, 0xe9, 0x00, 0xff]).for_each(|(b, odd)| *b = odd);
    let fits = open(&bytes).unwrap();
    let hdu = fits.hdu(0).unwrap();
    assert_eq!(hdu.header().text("OBSERVER").as_deref(), Some("AngstrÅm"));
    assert_eq!(hdu.header().cards().nth(4).unwrap().comment(), "café");
    // A keyword leads to its card, whatever its bytes and its case are.
    let odd = hdu.header().cards().nth(5).unwrap().keyword();
    assert_eq!((odd.as_str(), hdu.header().integer(&odd)), ("ÿBAD", Some(1)));
    assert_eq!((hdu.header().integer("ÿbad"), hdu.header().integer("ŷBAD")), (Some(1), None));
    let findings = look(&bytes, Level::Structure);
    assert_eq!(findings.iter().map(|f| f.offset).collect::<Vec<_>>(), [Some(240), Some(320), Some(400)]);
    assert!(errors(&findings).is_empty(), "{findings:?}");
}

/// Keywords of compressed images that contradict each other spoil this image, but not the way to the next.
#[test]
fn senseless_compressed_images_do_not_hide_what_follows() {
    let table = |more: &str| {
        let cards = format!(
            "XTENSION= 'BINTABLE'\nBITPIX  = 8\nNAXIS   = 2\nNAXIS1  = 8\nNAXIS2  = 1\nPCOUNT  = 6\nGCOUNT  = 1\n\
             TFIELDS = 1\nTTYPE1  = 'COMPRESSED_DATA'\nTFORM1  = '1PB'\nZIMAGE  = T\n{more}"
        );
        let data = padded([&[0, 0, 0, 6, 0, 0, 0, 0][..], &[0, 0, 0, 9, 0, 0]].concat());
        let next = image_extension("NEXT", 8, &[2], &[4, 5]);
        [header("SIMPLE  = T\nBITPIX  = 8\nNAXIS   = 0"), header(&cards), data, next].concat()
    };
    let good =
        "ZCMPTYPE= 'RICE_1'\nZBITPIX = 32\nZNAXIS  = 2\nZNAXIS1 = 4\nZNAXIS2 = 3\nZTILE1  = 4\nZTILE2  = 3";
    assert_eq!(look(&table(good), Level::Pixels), []);
    for (from, to, says) in [
        ("ZNAXIS  = 2", "ZNAXIS  = 3", "ZNAXIS3 is missing"),
        ("ZNAXIS  = 2", "ZNAXIS  = 1000", "ZNAXIS is 1000, must be at most 999"),
        ("ZNAXIS  = 2", "ZNAXIS  = -2", "ZNAXIS is -2, must be at least 0"),
        ("ZNAXIS2 = 3", "ZNAXIS2 = 7", "NAXIS2 is 1, but the image has 3 tiles"),
        ("ZNAXIS1 = 4", "ZNAXIS1 = 9223372036854775807", "NAXIS2 is 1, but the image has"),
        ("ZTILE1  = 4", "ZTILE1  = 0", "ZTILE1 is 0, must be at least 1"),
        ("ZTILE2  = 3", "ZTILE2  = 'x'", "ZTILE2 is x, must be an integer"),
        ("ZBITPIX = 32", "ZBITPIX = 'x'", "ZBITPIX is x, must be an integer"),
        ("ZBITPIX = 32", "ZBITPIX = 12", "ZBITPIX is 12"),
        ("ZCMPTYPE= 'RICE_1'\n", "", "ZCMPTYPE is missing"),
    ] {
        let bytes = table(&good.replace(from, to));
        let fits = open(&bytes).unwrap();
        let error = fits.hdu(1).and_then(|h| h.image()).and_then(|i| i.read_pixels()).unwrap_err();
        assert!(error.to_string().contains(says), "{to}: {error}");
        assert_eq!(error.location().hdu, Some(1), "{error}");
        assert_eq!(fits.hdu_named("NEXT").unwrap().image().unwrap().read::<u8>().unwrap(), [4, 5]);
        let findings = fits.verify(Level::Pixels).unwrap();
        let found = errors(&findings);
        assert!(found.iter().any(|f| f.hdu == Some(1) && f.what.contains(says)), "{to}: {findings:?}");
        assert!(found.iter().all(|f| f.hdu == Some(1)), "{to}: {findings:?}");
    }
}

/// Every descriptor may point to the same bytes, to each other's, or in a circle: what is read is bounded.
#[test]
fn heaps_that_overlap_are_read_within_bounds() {
    let rows: Vec<u8> =
        (0..100_u32).flat_map(|i| [4_u32.to_be_bytes(), (i % 7).to_be_bytes()].concat()).collect();
    let table = FitsTable::new("V")
        .column(Column::new("V", "1PB"))
        .raw_heap(&[9; 11])
        .raw_rows(100, &rows)
        .to_bytes();
    let column: Vec<u8> = {
        let table = open(&table).unwrap().hdu(1).unwrap().table().unwrap();
        let mut all = Vec::new();
        let scan = table.scan().column("V").unwrap();
        scan.for_each(|chunk| {
            let coaddkit_fits::Values::Arrays(arrays) = chunk.values(0) else { panic!() };
            (0..arrays.len()).for_each(|row| all.extend_from_slice(arrays.stored(row)));
            Ok::<_, Error>(())
        })
        .unwrap();
        all
    };
    assert_eq!(column, [9; 400]);
    assert_eq!(look(&table, Level::Pixels), []);
}

/// A few kilobytes that decode to more than any file of their size holds are not decoded by a check.
#[test]
fn pixels_without_end_are_not_decoded() {
    // An empty tile of HCOMPRESS is as small for any number of pixels; all rows share it.
    let side = 4000_u32;
    let mut stream = vec![0xdd, 0x99];
    stream.extend([side, side].iter().flat_map(|n| n.to_be_bytes()));
    stream.extend([0; 4 + 8 + 3 + 1]);
    let rows = 2000;
    let cards = format!(
        "XTENSION= 'BINTABLE'\nBITPIX  = 8\nNAXIS   = 2\nNAXIS1  = 8\nNAXIS2  = {rows}\nPCOUNT  = {}\nGCOUNT  = 1\n\
         TFIELDS = 1\nTTYPE1  = 'COMPRESSED_DATA'\nTFORM1  = '1PB'\nZIMAGE  = T\nZCMPTYPE= 'HCOMPRESS_1'\nZBITPIX = 32\n\
         ZNAXIS  = 2\nZNAXIS1 = {side}\nZNAXIS2 = {}\nZTILE1  = {side}\nZTILE2  = {side}",
        stream.len(),
        rows * side
    );
    let row = [(stream.len() as u32).to_be_bytes(), [0; 4]].concat();
    let data = padded([row.repeat(rows as usize), stream].concat());
    let bytes = [header("SIMPLE  = T\nBITPIX  = 8\nNAXIS   = 0"), header(&cards), data].concat();
    assert!(bytes.len() < 30_000);
    let fits = open(&bytes).unwrap();
    let image = fits.hdu(1).unwrap().image().unwrap();
    assert_eq!(image.section::<i32>(&[7_999_000..7_999_001, 0..3]).unwrap(), [0; 3]);
    assert_eq!(image.read::<i32>().unwrap_err().class(), ErrorClass::Limit);
    let findings = fits.verify(Level::Pixels).unwrap();
    assert!(
        findings.len() == 1 && findings[0].what.contains("not checked: 128000000000 bytes"),
        "{findings:?}"
    );
    assert_eq!(findings[0].severity, Severity::Warning);
}

#[test]
fn gzip_bombs_are_stopped_by_limits() {
    let heap = vec![0; 64 << 20];
    let row = [(64_u32 << 20).to_be_bytes(), [0; 4]].concat();
    let table =
        FitsTable::new("V").column(Column::new("V", "1PB")).raw_heap(&heap).raw_rows(1, &row).to_bytes();
    let packed = gzip(&table);
    assert!(packed.len() < 100_000, "{}", packed.len());
    let mut limits = Limits::default();
    limits.buffer_bytes = 1 << 20;
    let table = Fits::from_source_with(packed.clone(), limits).unwrap().hdu(1).unwrap().table().unwrap();
    let error = table.scan().column("V").unwrap().for_each(|_| Ok::<_, Error>(())).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Limit);
    assert!(error.to_string().contains("the size of a compressed file's heap is 67108872"), "{error}");
    let mut limits = Limits::default();
    limits.array_bytes = 1 << 20;
    let table = Fits::from_source_with(packed, limits).unwrap().hdu(1).unwrap().table().unwrap();
    let error = table.scan().column("V").unwrap().for_each(|_| Ok::<_, Error>(())).unwrap_err();
    assert!(error.to_string().contains("the size of a variable-length array is 67108864"), "{error}");
}

#[test]
fn limits_of_bytes_in_memory_are_charged() {
    let table = FitsTable::new("T").column(Column::new("A", "100B")).raw_rows(1, &[7; 100]).to_bytes();
    let open = |set: fn(&mut Limits)| {
        let mut limits = Limits::default();
        set(&mut limits);
        let fits = Fits::from_source_with(table.clone(), limits)?;
        let table = fits.hdu(1)?.table()?;
        table.scan().column("A")?.for_each(|_| Ok::<_, Error>(()))?;
        table.column::<u8>("A").map(|_| ())
    };
    open(|_| {}).unwrap();
    type Set = fn(&mut Limits);
    let sets: [(Set, &str); 4] = [
        (|l| l.header_bytes = 2879, "the header size is 2880"),
        (|l| l.hdus = 1, "the number of HDUs is 2"),
        (|l| l.row_bytes = 99, "the row size is 100"),
        (|l| l.column_bytes = 99, "the size of a column is 100"),
    ];
    for (set, says) in sets {
        let error = open(set).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Limit, "{says}: {error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let broken = damage::with_card(&table, 1, "PCOUNT", "PCOUNT  =                   -1");
    assert!(look(&broken, Level::Structure)[0].what.contains("PCOUNT is -1"));
}

/// A source that gives a byte at a time, is interrupted, and breaks where it is read from `broken` on.
struct Weak {
    bytes: Vec<u8>,
    broken: u64,
    interrupted: AtomicBool,
}

impl ReadAt for Weak {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        if !self.interrupted.fetch_xor(true, Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if offset >= self.broken {
            return Err(io::Error::other("the disk is on fire"));
        }
        let most = buf.len().min(7).min((self.broken - offset) as usize);
        self.bytes.read_at(&mut buf[..most], offset)
    }

    fn size(&self) -> io::Result<Option<u64>> {
        self.bytes.size()
    }
}

/// The first error of everything that can be read.
fn all(fits: Fits) -> Result<(), Error> {
    for hdu in fits.hdus() {
        let hdu = hdu?;
        match hdu.kind() {
            HduKind::Table | HduKind::AsciiTable => {
                let table = hdu.table()?;
                let scan = (0..table.columns().len()).try_fold(table.scan(), |scan, n| scan.column_at(n))?;
                scan.for_each(|_| Ok::<_, Error>(()))?;
            }
            HduKind::Image if !hdu.shape().is_empty() => _ = hdu.image()?.read_pixels()?,
            _ => {}
        }
    }
    Ok(())
}

/// A reader that fails is not taken for bad data, wherever it fails; and what is well is not taken for bad.
#[test]
fn a_reader_that_fails_is_no_damage() {
    for name in ["arrays_p", "ascii", "compressed"] {
        let bytes = crate::verify::fixture(&format!("{name}.fits.gz"));
        let size = bytes.len() as u64;
        for broken in (0..size).step_by(211).chain([size, u64::MAX]) {
            let weak = || Weak { bytes: bytes.clone(), broken, interrupted: AtomicBool::new(false) };
            let mut failed = false;
            for result in [
                Fits::from_source(weak()).and_then(all),
                Fits::from_source(weak())
                    .and_then(|f| f.verify(Level::Pixels))
                    .map(|found| assert_eq!(found, [])),
            ] {
                if let Err(error) = result {
                    failed = true;
                    assert_eq!(error.class(), ErrorClass::Reader, "{name} {broken}: {error}");
                    assert!(error.to_string().contains("the disk is on fire"), "{error}");
                }
            }
            // Behind the last byte nothing needs to be read but to see that it is the last.
            assert_eq!(failed, broken <= size, "{name}: {broken} of {size}");
        }
    }
}
