//! Names, types and units of a sweep, in the order of the files.

use super::BANDS;
use crate::Column;

pub(super) fn columns(epochs: usize) -> Vec<Column> {
    let mut out = Vec::new();
    let mut one = |name: &str, form: &str, unit: &str| {
        let column = Column::new(name, form);
        out.push(if unit.is_empty() { column } else { column.unit(unit) });
    };
    for (name, form, unit) in [
        ("RELEASE", "I", ""),
        ("BRICKID", "J", ""),
        ("BRICKNAME", "8A", ""),
        ("OBJID", "J", ""),
        ("TYPE", "3A", ""),
        ("RA", "D", "deg"),
        ("DEC", "D", "deg"),
        ("RA_IVAR", "E", "1/deg^2"),
        ("DEC_IVAR", "E", "1/deg^2"),
        ("DCHISQ", "5E", ""),
        ("EBV", "E", "mag"),
    ] {
        one(name, form, unit);
    }
    let (all, optical) = (&BANDS[..], &BANDS[..4]);
    for (root, bands, form, unit) in [
        ("FLUX", all, "E", "nanomaggy"),
        ("FLUX_IVAR", all, "E", "1/nanomaggy^2"),
        ("MW_TRANSMISSION", all, "E", ""),
        ("NOBS", all, "I", ""),
        ("RCHISQ", all, "E", ""),
        ("FRACFLUX", all, "E", ""),
        ("FRACMASKED", optical, "E", ""),
        ("FRACIN", optical, "E", ""),
        ("ANYMASK", optical, "I", ""),
        ("ALLMASK", optical, "I", ""),
        ("WISEMASK", &BANDS[4..6], "B", ""),
        ("PSFSIZE", optical, "E", "arcsec"),
        ("PSFDEPTH", optical, "E", "1/nanomaggy^2"),
        ("GALDEPTH", optical, "E", "1/nanomaggy^2"),
        ("PSFDEPTH", &BANDS[4..6], "E", "1/nanomaggy^2"),
    ] {
        for band in bands {
            one(&format!("{root}_{band}"), form, unit);
        }
    }
    one("WISE_COADD_ID", "8A", "");
    if epochs > 0 {
        for (root, letter, unit) in [
            ("FLUX", 'E', "nanomaggy"),
            ("FLUX_IVAR", 'E', "1/nanomaggy^2"),
            ("NOBS", 'I', ""),
            ("MJD", 'D', ""),
            ("FRACFLUX", 'E', ""),
            ("RCHISQ", 'E', ""),
            ("EPOCH_INDEX", 'I', ""),
        ] {
            for band in &BANDS[4..6] {
                one(&format!("LC_{root}_{band}"), &format!("{epochs}{letter}"), unit);
            }
        }
    }
    for (name, unit) in [("SHAPE_R", "arcsec"), ("SHAPE_E1", ""), ("SHAPE_E2", "")] {
        one(name, "E", unit);
        one(&format!("{name}_IVAR"), "E", if unit.is_empty() { "" } else { "1/arcsec^2" });
    }
    for root in ["FIBERFLUX", "FIBERTOTFLUX"] {
        for band in optical {
            one(&format!("{root}_{band}"), "E", "nanomaggy");
        }
    }
    for (name, form, unit) in [
        ("REF_CAT", "2A", ""),
        ("REF_ID", "K", ""),
        ("REF_EPOCH", "E", "yr"),
        ("GAIA_PHOT_G_MEAN_MAG", "E", "mag"),
        ("GAIA_PHOT_G_MEAN_FLUX_OVER_ERROR", "E", ""),
        ("GAIA_PHOT_BP_MEAN_MAG", "E", "mag"),
        ("GAIA_PHOT_BP_MEAN_FLUX_OVER_ERROR", "E", ""),
        ("GAIA_PHOT_RP_MEAN_MAG", "E", "mag"),
        ("GAIA_PHOT_RP_MEAN_FLUX_OVER_ERROR", "E", ""),
        ("GAIA_ASTROMETRIC_EXCESS_NOISE", "E", ""),
        ("GAIA_DUPLICATED_SOURCE", "L", ""),
        ("GAIA_PHOT_BP_RP_EXCESS_FACTOR", "E", ""),
        ("GAIA_ASTROMETRIC_SIGMA5D_MAX", "E", "mas"),
        ("GAIA_ASTROMETRIC_PARAMS_SOLVED", "B", ""),
        ("PARALLAX", "E", "mas"),
        ("PARALLAX_IVAR", "E", "1/mas^2"),
        ("PMRA", "E", "mas/yr"),
        ("PMRA_IVAR", "E", "yr^2/mas^2"),
        ("PMDEC", "E", "mas/yr"),
        ("PMDEC_IVAR", "E", "yr^2/mas^2"),
        ("MASKBITS", "J", ""),
        ("FITBITS", "I", ""),
        ("SERSIC", "E", ""),
        ("SERSIC_IVAR", "E", ""),
    ] {
        one(name, form, unit);
    }
    out
}
