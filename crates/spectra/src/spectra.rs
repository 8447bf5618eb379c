use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use coaddkit_fits::Fits;
use coaddkit_photometry::{Cut, CutFlow};

use crate::arms::Arms;
use crate::batches::{Batches, Schema};
use crate::select::{Fiber, Target, fibers, targets};
use crate::{Error, ErrorKind};

/// Which targets, which wavelengths, and in which form.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectra {
    cut: Option<Cut>,
    bounds: RangeInclusive<f64>,
    sorted: bool,
    compatible: bool,
}

/// Quasars whose redshift nothing speaks against.
const QSO: &str = "SPECTYPE == 'QSO' and ZWARN == 0";

impl Spectra {
    /// Quasars without a warning (`SPECTYPE == 'QSO' and ZWARN == 0`), 3600 to 9800 Å inclusive, arms one after the
    /// other, values in their own types.
    pub fn new() -> Self {
        Self { cut: None, bounds: 3600.0..=9800.0, sorted: false, compatible: false }
    }

    /// Targets for which this holds, in columns of REDSHIFTS.
    pub fn cut(mut self, cut: Cut) -> Self {
        self.cut = Some(cut);
        self
    }

    /// Wavelengths within these bounds, both inclusive.
    ///
    /// # Units
    ///
    /// Å.
    pub fn bounds(mut self, bounds: RangeInclusive<f64>) -> Self {
        self.bounds = bounds;
        self
    }

    /// In the order of the wavelength; of equal ones the bluer arm first.
    pub fn sorted(mut self, sorted: bool) -> Self {
        self.sorted = sorted;
        self
    }

    /// In the types of the earlier converter: f64 lists, a mask of i64, coordinates and redshifts to six decimals.
    pub fn compatible(mut self, compatible: bool) -> Self {
        self.compatible = compatible;
        self
    }

    /// Opens the files of a pixel, and finds which targets are selected and where their spectra are.
    ///
    /// # Errors
    ///
    /// One of the files is not there ([`ErrorKind::MissingInput`]); a table, a column or the HDU of a camera is not
    /// there, or shapes do not fit together ([`ErrorKind::BadData`]); the cut cannot be applied, or no wavelength is
    /// within the bounds ([`ErrorKind::Usage`]).
    pub fn open(&self, coadd: &Path, redrock: &Path) -> Result<Selected, Error> {
        let cut = match &self.cut {
            Some(cut) => cut.clone(),
            None => QSO.parse().map_err(|e| Error::new(ErrorKind::Usage, redrock, e))?,
        };
        let open = |path: &Path| Fits::open(path).map_err(|e| Error::fits(path, &e));
        // Both, so that half a pair is told as that, and not by what its other half holds.
        let (spectra, redshifts) = (open(coadd)?, open(redrock)?);
        let (found, flow) = targets(redrock, &redshifts, &cut)?;
        let (places, rows) = fibers(coadd, &spectra, &found)?;
        let arms = Arms::open(coadd, &spectra, rows, &self.bounds, self.sorted)?;
        if arms.wavelength.is_empty() {
            let what = format!("no wavelength is within {} to {} Å", self.bounds.start(), self.bounds.end());
            return Err(Error::new(ErrorKind::Usage, coadd, what));
        }
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for (target, place) in found.into_iter().zip(places) {
            match place {
                Some(fiber) => with.push((target, fiber)),
                None => without.push(target.id),
            }
        }
        Ok(Selected {
            coadd: coadd.to_owned(),
            rows: with,
            without,
            flow,
            arms,
            schema: Schema::new(self.compatible),
        })
    }
}

impl Default for Spectra {
    fn default() -> Self {
        Self::new()
    }
}

/// The targets of a pixel that are selected, their spectra not yet read.
#[derive(Debug)]
pub struct Selected {
    coadd: PathBuf,
    rows: Vec<(Target, Fiber)>,
    without: Vec<i64>,
    flow: CutFlow,
    arms: Arms,
    schema: Schema,
}

impl Selected {
    /// Number of rows that there are to be written.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// TARGETIDs that are selected and have no row in FIBERMAP, so that no row is written. A pixel that has some is
    /// not all right.
    pub fn without_spectrum(&self) -> &[i64] {
        &self.without
    }

    /// How many targets each clause of the cut lost.
    pub fn flow(&self) -> &CutFlow {
        &self.flow
    }

    /// The wavelengths of every row.
    ///
    /// # Units
    ///
    /// Å.
    pub fn wavelength(&self) -> &[f64] {
        &self.arms.wavelength
    }

    /// The rows, some tens of megabytes at a time, in the order of REDSHIFTS.
    pub fn batches(&self) -> Batches<'_> {
        Batches::new(&self.rows, &self.arms, &self.schema, &self.coadd)
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }
}
