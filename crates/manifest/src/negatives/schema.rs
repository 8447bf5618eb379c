//! The tables of negative sampling.

use crate::Kind::{Float32, Float64, Int32, Int64, Text};
use crate::{Field, Schema};

const NOT_KNOWN: &str = "not a number in the sweep, or the sweep has no such column";
const NO_MAG: &str = "flux not above 0";

macro_rules! pool_fields {
    ($($more:expr),*) => {
        &[
            Field::new("galaxy_id", Text, "brick name, underscore, objid"),
            Field::new("brickname", Text, "brick in which the galaxy was measured"),
            Field::new("objid", Int32, "number of the galaxy in its brick"),
            Field::new("ra", Float64, "right ascension").unit("deg"),
            Field::new("dec", Float64, "declination").unit("deg"),
            Field::new("type", Text, "morphological type of the best model"),
            Field::new("nobs_z", Int32, "exposures in z"),
            Field::new("nobs_z_bin", Text, "class of exposures in z"),
            Field::new("type_bin", Text, "SER, DEV, REX or OTHER"),
            Field::new("flux_g", Float32, "flux in g, as observed").unit("nanomaggy").null(NOT_KNOWN),
            Field::new("flux_r", Float32, "flux in r, as observed").unit("nanomaggy").null(NOT_KNOWN),
            Field::new("flux_z", Float32, "flux in z, as observed").unit("nanomaggy").null(NOT_KNOWN),
            Field::new("flux_w1", Float32, "flux in W1, as observed").unit("nanomaggy").null(NOT_KNOWN),
            Field::new("mag_g", Float32, "magnitude in g, as observed").unit("mag").null(NO_MAG),
            Field::new("mag_r", Float32, "magnitude in r, as observed").unit("mag").null(NO_MAG),
            Field::new("mag_z", Float32, "magnitude in z, as observed").unit("mag").null(NO_MAG),
            Field::new("g_minus_r", Float32, "colour, as observed").unit("mag").null(NO_MAG),
            Field::new("r_minus_z", Float32, "colour, as observed").unit("mag").null(NO_MAG),
            Field::new("z_minus_w1", Float32, "colour, as observed").unit("mag").null(NO_MAG),
            Field::new("psfsize_g", Float32, "seeing in g").unit("arcsec").null(NOT_KNOWN),
            Field::new("psfsize_r", Float32, "seeing in r").unit("arcsec").null(NOT_KNOWN),
            Field::new("psfsize_z", Float32, "seeing in z").unit("arcsec").null(NOT_KNOWN),
            Field::new("psfdepth_g", Float32, "inverse variance of a point source in g").unit("1/nanomaggy^2").null(NOT_KNOWN),
            Field::new("psfdepth_r", Float32, "inverse variance of a point source in r").unit("1/nanomaggy^2").null(NOT_KNOWN),
            Field::new("psfdepth_z", Float32, "inverse variance of a point source in z").unit("1/nanomaggy^2").null(NOT_KNOWN),
            Field::new("galdepth_g", Float32, "inverse variance of a small galaxy in g").unit("1/nanomaggy^2").null(NOT_KNOWN),
            Field::new("galdepth_r", Float32, "inverse variance of a small galaxy in r").unit("1/nanomaggy^2").null(NOT_KNOWN),
            Field::new("galdepth_z", Float32, "inverse variance of a small galaxy in z").unit("1/nanomaggy^2").null(NOT_KNOWN),
            Field::new("ebv", Float32, "reddening E(B-V)").unit("mag").null(NOT_KNOWN),
            Field::new("maskbits", Int32, "mask bits of the survey"),
            Field::new("fitbits", Int32, "bits of the fit").null("the sweep has no such column"),
            Field::new("mw_transmission_g", Float32, "transmission of the Milky Way in g").null(NOT_KNOWN),
            Field::new("mw_transmission_r", Float32, "transmission of the Milky Way in r").null(NOT_KNOWN),
            Field::new("mw_transmission_z", Float32, "transmission of the Milky Way in z").null(NOT_KNOWN),
            Field::new("shape_r", Float32, "half-light radius").unit("arcsec").null(NOT_KNOWN),
            Field::new("shape_e1", Float32, "first component of the ellipticity").null(NOT_KNOWN),
            Field::new("shape_e2", Float32, "second component of the ellipticity").null(NOT_KNOWN),
            Field::new("sersic", Float32, "Sersic index").null(NOT_KNOWN),
            Field::new("healpix_64", Int64, "HEALPix cell, nside 64, nested scheme"),
            Field::new("healpix_128", Int64, "HEALPix cell, nside 128, nested scheme"),
            Field::new("split", Text, "train, val or test, of the cell"),
            Field::new("pool", Text, "N1 (as the sky has them) or N2 (easily confused with lenses)"),
            Field::new("confuser_category", Text, "why it is in N2").null("in N1"),
            Field::new("sweep_file", Text, "name of the sweep"),
            Field::new("row_index", Int32, "row of the sweep, from 0"),
            Field::new("pipeline_version", Text, "version of the configuration"),
            Field::new("git_commit", Text, "version of the code, as the caller gave it"),
            Field::new("extraction_timestamp", Text, "time that was given to the run"),
            $($more),*
        ]
    };
}

/// The 48 columns of the pool.
pub const NEGATIVE_POOL: Schema<'static> = Schema::new("negative_pool", 1, pool_fields!());

/// The columns of a sample: those of the pool, and which sampling it was.
pub const NEGATIVE_SAMPLE: Schema<'static> = Schema::new(
    "negative_sample",
    1,
    pool_fields!(
        Field::new("sampling_timestamp", Text, "time that was given to the sampling"),
        Field::new("sampling_version", Text, "version of the sampling")
    ),
);

/// Positives with the catalogue rows they were matched with.
pub const POSITIVES: Schema<'static> = Schema::new(
    "positives",
    1,
    &[
        Field::new("positive", Int64, "row of the positive catalogues, counted through, from 0"),
        Field::new("ra", Float64, "right ascension of the positive").unit("deg"),
        Field::new("dec", Float64, "declination of the positive").unit("deg"),
        Field::new("galaxy_id", Text, "brick name, underscore, objid of the nearest row within the radius"),
        Field::new("separation_arcsec", Float64, "distance to it").unit("arcsec"),
        Field::new("type", Text, "its morphological type"),
        Field::new("nobs_z", Int32, "its exposures in z"),
        Field::new("type_bin", Text, "SER, DEV, REX or OTHER"),
        Field::new("nobs_z_bin", Text, "class of exposures in z"),
        Field::new("sweep_file", Text, "name of the sweep"),
        Field::new("row_index", Int32, "row of the sweep, from 0"),
    ],
);
