//! Files: atomic, durable, deterministic, whatever happens on the way.

use super::{refused, written};
use coaddkit_fits::{Column, Compress, ErrorClass, Fits, Header, NewImage, NewTable, Quantize, Writer};
use std::fs;
use std::io::{self, Cursor, Write};

#[test]
fn a_file_has_its_name_only_when_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.fits");
    let names = || -> Vec<String> {
        let mut all: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        all.sort();
        all
    };
    let mut writer = Writer::create(&path).unwrap();
    writer.image(&NewImage::new(&[2]), &[1_u8, 2]).unwrap();
    assert_eq!(names().len(), 1);
    assert!(names()[0].starts_with(".out.fits.part-"), "{:?}", names());
    drop(writer);
    assert_eq!(names(), Vec::<String>::new());

    fs::write(&path, "old").unwrap();
    let mut writer = Writer::create(&path).unwrap();
    writer.image(&NewImage::new(&[2]), &[1_u8, 2]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    writer.finish().unwrap();
    assert_eq!(names(), ["out.fits"]);
    assert_eq!(Fits::open(&path).unwrap().hdu(0).unwrap().image().unwrap().read::<u8>().unwrap(), [1, 2]);

    // Two writers of one file: the last one wins, neither sees the other.
    let (first, second) = (Writer::create(&path).unwrap(), Writer::create(&path).unwrap());
    first.finish().unwrap();
    second.finish().unwrap();
    assert_eq!(names(), ["out.fits"]);

    for bad in [dir.path().join("no/such/dir.fits"), dir.path().to_owned()] {
        let error = Writer::create(&bad).unwrap_err();
        assert_eq!((error.class(), error.path()), (ErrorClass::Reader, Some(&*bad)));
    }
}

#[test]
fn an_empty_file_is_a_primary_header() {
    let fits = written(|_| Ok(()));
    assert_eq!(fits.hdus().count(), 1);
    assert!(fits.hdu(0).unwrap().image().is_err());
}

#[test]
fn extensions_have_a_primary_before_them() {
    let fits = written(|writer| {
        writer.table(&NewTable::new().column(Column::new("A", "J")?), &[&[1, 2, 3]])?;
        writer.image(&NewImage::new(&[1]), &[1_i16])?;
        writer.image(&NewImage::new(&[4]).compress(Compress::rice()), &[1_i16; 4])
    });
    let kinds: Vec<_> = fits.hdus().map(|h| format!("{:?}", h.unwrap().kind())).collect();
    assert_eq!(kinds, ["Image", "Table", "Image", "Image"]);
    assert!(
        refused(|w| {
            w.primary(&Header::new())?;
            w.primary(&Header::new())
        })
        .contains("has one already")
    );
}

/// A sink that takes only so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.0 < buf.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0 -= buf.len();
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_and_stays_one() {
    for room in [0, 2880, 2881, 5000] {
        let mut writer = Writer::new(Full(room));
        let error = writer.image(&NewImage::new(&[1000]), &[0_f32; 1000]).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Reader, "{error}");
        let error = writer.image(&NewImage::new(&[1]), &[0_f32]).unwrap_err();
        assert!(error.to_string().contains("was not finished"), "{error}");
        assert!(writer.finish().is_err());
    }
}

#[test]
fn equal_input_gives_equal_bytes() {
    let pixels: Vec<f32> = (0..300 * 200_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 20) as f32).collect();
    let write = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut writer = Writer::new(Cursor::new(Vec::new()));
            let how = Compress::rice().tile(&[17, 23]).quantize(Quantize::noise(4.0));
            writer.image(&NewImage::new(&[300, 200]).compress(how), &pixels).unwrap();
            writer.image(&NewImage::new(&[300, 200]).compress(Compress::gzip_2()), &pixels).unwrap();
            writer.finish().unwrap().into_inner()
        })
    };
    let one = write(1);
    assert!(one == write(4));
    assert!(one == write(2));
}

#[test]
fn checksums_can_be_left_out() {
    let mut writer = Writer::new(Vec::new()).checksums(false);
    writer.image(&NewImage::new(&[1]), &[1_u8]).unwrap();
    let fits = Fits::from_source(writer.finish().unwrap()).unwrap();
    assert_eq!(fits.hdu(0).unwrap().header().get("CHECKSUM"), None);
    assert_eq!(fits.hdu(0).unwrap().header().get("DATASUM"), None);
}

#[test]
fn pieces_give_the_same_file_as_the_whole() {
    let pixels: Vec<i32> = (0..70_000).collect();
    let (mut whole, mut pieces) =
        (Writer::new(Cursor::new(Vec::new())), Writer::new(Cursor::new(Vec::new())));
    let image = NewImage::new(&[700, 100]);
    whole.image(&image, &pixels).unwrap();
    let mut rows = pieces.image_rows::<i32>(&image).unwrap();
    for piece in pixels.chunks(977) {
        rows.write(piece).unwrap();
    }
    rows.finish().unwrap();

    let table = NewTable::new()
        .column(Column::new("N", "J").unwrap())
        .column(Column::new("TEXT", "5A").unwrap())
        .column(Column::new("LIST", "1QI").unwrap());
    let texts: Vec<String> = pixels.iter().map(|n| format!("{:05}", n % 99_991)).collect();
    let lists: Vec<Vec<i16>> = pixels.iter().map(|&n| vec![n as i16; n as usize % 5]).collect();
    whole.table(&table, &[&pixels, &texts, &lists]).unwrap();
    let mut rows = pieces.table_rows(&table).unwrap();
    for at in (0..pixels.len()).step_by(12_345) {
        let range = at..(at + 12_345).min(pixels.len());
        rows.write(&[&&pixels[range.clone()], &&texts[range.clone()], &&lists[range]]).unwrap();
    }
    assert_eq!(rows.rows(), 70_000);
    rows.finish().unwrap();
    assert!(whole.finish().unwrap().into_inner() == pieces.finish().unwrap().into_inner());
}

/// Far more than waits in memory.
#[test]
fn large_heaps_wait_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lists.fits");
    let mut writer = Writer::create(&path).unwrap();
    let table = NewTable::new().column(Column::new("LIST", "QB").unwrap());
    let mut rows = writer.table_rows(&table).unwrap();
    let lists: Vec<Vec<u8>> = (0..50_u8).map(|n| vec![n; 1 << 20]).collect();
    for chunk in lists.chunks(10).chain(lists.chunks(10)) {
        rows.write(&[&chunk]).unwrap();
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    rows.finish().unwrap();
    writer.finish().unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let fits = Fits::open(&path).unwrap();
    assert_eq!(fits.verify(coaddkit_fits::Level::Checksum).unwrap(), []);
    let found = fits.hdu(1).unwrap().table().unwrap().column::<Vec<u8>>("LIST").unwrap();
    assert!(found[..50] == lists && found[50..] == lists);
}

#[test]
fn what_is_not_finished_stays_open() {
    let mut writer = Writer::new(Cursor::new(Vec::new()));
    let mut rows = writer.image_rows::<u8>(&NewImage::new(&[3])).unwrap();
    assert!(rows.write(&[1, 2, 3, 4]).unwrap_err().to_string().contains("1 pixels too many"));
    rows.write(&[1, 2]).unwrap();
    assert!(rows.finish().unwrap_err().to_string().contains("1 pixels are missing"));
    assert!(writer.primary(&Header::new()).is_err());
    assert!(writer.finish().is_err());
}
