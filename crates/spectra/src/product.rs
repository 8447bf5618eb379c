use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::{Error, ErrorKind, Selected};

/// Rows of a row group.
const ROW_GROUP: usize = 256;

/// Which pixel of the sky, of which survey and program. All three: programs share the numbers of pixels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PixelId {
    survey: String,
    program: String,
    pixel: u32,
}

impl PixelId {
    /// Such as `main`, `dark`, 10304 (HEALPix, nside 64, nested).
    ///
    /// # Errors
    ///
    /// Words that are not letters, digits, `-` and `_`, since they become names of folders.
    pub fn new(survey: &str, program: &str, pixel: u32) -> Result<Self, Error> {
        for word in [survey, program] {
            let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if word.is_empty() || !word.chars().all(good) {
                let what = "no name of a survey or program";
                return Err(Error::new(ErrorKind::Usage, Path::new(&format!("{word:?}")), what));
            }
        }
        Ok(Self { survey: survey.to_owned(), program: program.to_owned(), pixel })
    }

    /// `main/dark/tile_10304`
    pub fn folder(&self) -> String {
        format!("{}/{}/tile_{:05}", self.survey, self.program, self.pixel)
    }

    /// `main/dark/tile_10304/qso_data_TILE10304_17_qsos.parquet`
    pub fn table(&self, rows: usize) -> String {
        format!("{}/qso_data_TILE{:05}_{rows}_qsos.parquet", self.folder(), self.pixel)
    }

    /// `main/dark/tile_10304/_SUCCESS_NO_QSO`
    pub fn no_rows(&self) -> String {
        format!("{}/_SUCCESS_NO_QSO", self.folder())
    }
}

/// `main/dark/10304`
impl std::fmt::Display for PixelId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{:05}", self.survey, self.program, self.pixel)
    }
}

/// What a pixel left, below the folder that it was written to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Product {
    /// A table.
    Table {
        /// [`PixelId::table`].
        path: String,
        /// Its rows.
        rows: usize,
        /// Its length.
        bytes: u64,
    },
    /// No target is selected, which an empty file says.
    NoRows {
        /// [`PixelId::no_rows`].
        path: String,
    },
}

impl Selected {
    /// Writes the rows below a folder, as Parquet, or the empty marker if there are none. The file is whole and on
    /// disk before it has its name.
    ///
    /// # Errors
    ///
    /// What reading the spectra or writing the file says; then nothing is left.
    pub fn write(&self, out: &Path, id: &PixelId) -> Result<Product, Error> {
        let none = self.rows() == 0;
        let name = if none { id.no_rows() } else { id.table(self.rows()) };
        let path = out.join(&name);
        let folder = out.join(id.folder());
        fs::create_dir_all(&folder).map_err(|e| Error::write(&folder, &e))?;
        let mut part = part(&folder, &path).map_err(|e| Error::write(&path, &e))?;
        if !none {
            self.fill(&path, id, part.as_file_mut())?;
        }
        let publish = || {
            part.as_file().sync_all()?;
            let bytes = part.as_file().metadata()?.len();
            part.persist(&path).map_err(|e| e.error)?;
            if cfg!(unix) {
                File::open(&folder)?.sync_all()?;
            }
            Ok(bytes)
        };
        let bytes = publish().map_err(|e| Error::write(&path, &e))?;
        let rows = self.rows();
        Ok(if none { Product::NoRows { path: name } } else { Product::Table { path: name, rows, bytes } })
    }

    fn fill(&self, path: &Path, id: &PixelId, file: impl Write + Send) -> Result<(), Error> {
        let failed = |e: parquet::errors::ParquetError| match e {
            parquet::errors::ParquetError::External(e) => match e.downcast::<std::io::Error>() {
                Ok(e) => Error::write(path, &e),
                Err(e) => Error::new(ErrorKind::Transient, path, e),
            },
            e => Error::new(ErrorKind::Transient, path, e),
        };
        let properties = properties(id, self.schema().compatible).map_err(failed)?;
        let schema = self.schema().arrow.clone();
        let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(failed)?;
        for batch in self.batches() {
            writer.write(&batch?).map_err(failed)?;
        }
        writer.close().map(drop).map_err(failed)
    }
}

fn properties(id: &PixelId, compatible: bool) -> Result<WriterProperties, parquet::errors::ParquetError> {
    let entry = |key: &str, value: String| KeyValue::new(format!("coaddkit.{key}"), value);
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(vec![
            entry("survey", id.survey.clone()),
            entry("program", id.program.clone()),
            entry("pixel", id.pixel.to_string()),
        ]));
    // Wavelengths repeat in every row and masks are mostly 0, which Zstandard sees by itself: to look each value up in a
    // dictionary takes longer, and the files are as large.
    for name in ["wavelength", "flux", "ivar", "mask_array"] {
        let column = ColumnPath::new([name, "list", "element"].map(str::to_owned).to_vec());
        builder = builder.set_column_dictionary_enabled(column.clone(), false);
        if ["flux", "ivar"].contains(&name) {
            builder = builder.set_column_statistics_enabled(column.clone(), EnabledStatistics::None);
            if compatible {
                // Half of the bytes of a double that was a single are zero.
                builder = builder.set_column_encoding(column, Encoding::BYTE_STREAM_SPLIT);
            }
        }
    }
    Ok(builder.build())
}

fn part(folder: &Path, path: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}.part-");
    let mut builder = tempfile::Builder::new();
    // As any new file: the mask of the process applies.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(&prefix).tempfile_in(folder)
}
