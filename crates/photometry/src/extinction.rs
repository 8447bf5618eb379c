use crate::band::Band;

/// A table of extinction coefficients k = A / E(B-V), where E(B-V) is that of the SFD dust map.
///
/// The tables differ by some hundredths although they bear the same band names: r of DECam is 2.165 in the Legacy
/// Surveys and 2.09 in LoVoCCS. So there is no default; name the one your magnitudes were made with.
///
/// # Examples
///
/// ```
/// use coaddkit_photometry::{Band, Extinction};
///
/// let ebv = 0.05;
/// let t = Extinction::LegacySurveys.transmission(Band::R, ebv).expect("it has r");
/// assert!((t - 0.9051).abs() < 1e-4);
/// assert_eq!(Extinction::LovoccsSdss.coefficient(Band::W1), None);
/// ```
///
/// # References
///
/// Legacy Surveys: the description of `ebv` in the DR9 and DR10 Tractor catalogues (Schlafly & Finkbeiner 2011,
/// ApJ 737, 103, for an airmass of 1.3; WISE after Fitzpatrick 1999), which reproduces their `MW_TRANSMISSION`
/// columns. The others: the LoVoCCS pipeline (Fu et al. 2022, ApJ 933, 84).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Extinction {
    /// Legacy Surveys DR8 to DR10, u to Y and WISE. It is that of DECam, and used for BASS and MzLS as well.
    LegacySurveys,
    /// LoVoCCS, DECam u to Y.
    LovoccsDecam,
    /// LoVoCCS, Pan-STARRS1 g to Y.
    LovoccsPs1,
    /// LoVoCCS, SDSS u to z.
    LovoccsSdss,
    /// LoVoCCS, SkyMapper u to z.
    LovoccsSkyMapper,
}

impl Extinction {
    /// k of a band; `None` when the table does not have it.
    ///
    /// # Units
    ///
    /// Magnitudes of extinction per magnitude of E(B-V).
    pub fn coefficient(self, band: Band) -> Option<f64> {
        let table: &[(Band, f64)] = match self {
            Extinction::LegacySurveys => &[
                (Band::U, 3.995),
                (Band::G, 3.214),
                (Band::R, 2.165),
                (Band::I, 1.592),
                (Band::Z, 1.211),
                (Band::Y, 1.064),
                (Band::W1, 0.184),
                (Band::W2, 0.113),
                (Band::W3, 0.0241),
                (Band::W4, 0.00910),
            ],
            Extinction::LovoccsDecam => &[
                (Band::U, 3.86),
                (Band::G, 3.11),
                (Band::R, 2.09),
                (Band::I, 1.53),
                (Band::Z, 1.17),
                (Band::Y, 1.02),
            ],
            Extinction::LovoccsPs1 => {
                &[(Band::G, 3.08), (Band::R, 2.20), (Band::I, 1.63), (Band::Z, 1.28), (Band::Y, 1.07)]
            }
            Extinction::LovoccsSdss => {
                &[(Band::U, 4.16), (Band::G, 3.20), (Band::R, 2.21), (Band::I, 1.64), (Band::Z, 1.22)]
            }
            Extinction::LovoccsSkyMapper => {
                &[(Band::U, 3.92), (Band::G, 2.89), (Band::R, 2.22), (Band::I, 1.55), (Band::Z, 1.17)]
            }
        };
        table.iter().find(|(b, _)| *b == band).map(|(_, k)| *k)
    }

    /// The extinction A = k E(B-V), to be subtracted from an observed magnitude.
    ///
    /// # Units
    ///
    /// Magnitudes, both.
    pub fn magnitudes(self, band: Band, ebv: f64) -> Option<f64> {
        Some(self.coefficient(band)? * ebv)
    }

    /// The fraction of light that passes, 10^(-0.4 A): divide an observed flux by it.
    pub fn transmission(self, band: Band, ebv: f64) -> Option<f64> {
        Some(libm::pow(10.0, -0.4 * self.magnitudes(band, ebv)?))
    }
}
