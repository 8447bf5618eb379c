//! The tables of the injection stage.

use crate::Kind::{Bool, Float32, Float64, Int32, Int64, Text};
use crate::{Field, Schema};

/// What is read of the parent catalogue; the flag that a row must have is a further column.
pub const PARENT: Schema<'static> = Schema::new(
    "parent_compact",
    1,
    &[
        Field::new("brickname", Text, "brick of the galaxy"),
        Field::new("ra", Float64, "right ascension").unit("deg"),
        Field::new("dec", Float64, "declination").unit("deg"),
        Field::new("region_id", Int32, "connected region that the brick belongs to"),
        Field::new("region_split", Text, "train, val or test, of the region"),
        Field::new("zmag", Float32, "magnitude in z, as observed").unit("mag").null("flux not above 0"),
        Field::new("rmag", Float32, "magnitude in r, as observed").unit("mag").null("flux not above 0"),
        Field::new("w1mag", Float32, "magnitude in W1, as observed").unit("mag").null("flux not above 0"),
        Field::new("rz", Float32, "r - z").unit("mag").null("a flux not above 0"),
        Field::new("zw1", Float32, "z - W1").unit("mag").null("a flux not above 0"),
    ],
);

/// Bricks that passed the cuts of the region stage, with the region they belong to.
pub const BRICKS_WITH_REGION: Schema<'static> = Schema::new(
    "bricks_with_region",
    1,
    &[
        Field::new("brickname", Text, "name of the brick"),
        Field::new("ra", Float64, "right ascension of the centre").unit("deg"),
        Field::new("dec", Float64, "declination of the centre").unit("deg"),
        Field::new("area_deg2", Float64, "area of the brick").unit("deg^2"),
        Field::new("n_lrg", Int64, "galaxies counted in the brick; 0 where the counts have none"),
        Field::new("psfsize_r", Float64, "seeing in r").unit("arcsec").null("not measured"),
        Field::new("psfdepth_r", Float64, "5-sigma point-source depth in r").unit("mag").null("not measured"),
        Field::new("ebv", Float64, "reddening E(B-V)").unit("mag").null("not known"),
        Field::new("region_id", Int32, "region: the rank of its smallest brick name among all regions"),
        Field::new("brick_degree", Int32, "adjacent bricks that passed the cuts too"),
        Field::new("region_split", Text, "train, val or test, of the region"),
    ],
);

/// What the build needs to know of a brick.
pub(super) const BRICK_COLUMNS: &[Field<'static>] = &[
    Field::new("brickname", Text, ""),
    Field::new("psfsize_r", Float64, "").null(""),
    Field::new("psfdepth_r", Float64, "").null(""),
    Field::new("ebv", Float64, "").null(""),
];

/// One row a region.
pub const REGION_METRICS: Schema<'static> = Schema::new(
    "region_metrics",
    1,
    &[
        Field::new("region_id", Int32, "the region"),
        Field::new("region_split", Text, "train, val or test"),
        Field::new("first_brickname", Text, "its smallest brick name"),
        Field::new("n_bricks", Int64, "bricks"),
        Field::new("area_deg2", Float64, "sum of their areas").unit("deg^2"),
        Field::new("n_lrg_total", Int64, "sum of the galaxies counted"),
        Field::new("lrg_density_areaweighted", Float64, "galaxies an area").unit("1/deg^2"),
        Field::new("score_density", Float64, "score by density: galaxies an area"),
        Field::new("score_n_lrg", Float64, "score by number: galaxies"),
        Field::new("score_area_weighted", Float64, "density times the square root of the area"),
        Field::new("score_psf_weighted", Float64, "density times factors of seeing, depth and reddening")
            .null("a median is not known"),
        Field::new("psfsize_r_p50", Float64, "median seeing in r").unit("arcsec").null("not measured"),
        Field::new("psfdepth_r_p50", Float64, "median depth in r").unit("mag").null("not measured"),
        Field::new("ebv_p50", Float64, "median reddening").unit("mag").null("not known"),
        Field::new("compactness", Float64, "area over that of the smallest box around the centres' bricks"),
    ],
);

/// Regions chosen, by selection set.
pub const REGION_SELECTIONS: Schema<'static> = Schema::new(
    "region_selections",
    1,
    &[
        Field::new("selection_set_id", Text, "which selection"),
        Field::new("selection_strategy", Text, "topk, custom or balanced"),
        Field::new("ranking_mode", Text, "density, n_lrg, area_weighted or psf_weighted"),
        Field::new("ranking_score_col", Text, "the column that ranks"),
        Field::new("region_id", Int32, "the region"),
        Field::new("region_split", Text, "train, val or test"),
        Field::new("region_rank", Int32, "rank in its split, from 1"),
        Field::new("area_deg2", Float64, "area of the region").unit("deg^2"),
        Field::new("n_bricks", Int64, "its bricks"),
        Field::new("n_lrg_total", Int64, "its galaxies"),
        Field::new("ranking_score", Float64, "the score it is ranked by"),
    ],
);

/// What the build needs of a selection.
pub(super) const SELECTION_COLUMNS: &[Field<'static>] = &[
    Field::new("selection_set_id", Text, ""),
    Field::new("selection_strategy", Text, ""),
    Field::new("ranking_mode", Text, ""),
    Field::new("region_id", Int32, ""),
    Field::new("region_split", Text, ""),
];

/// The 42 columns of an injection task.
pub const INJECTION_TASKS: Schema<'static> = Schema::new(
    "injection_tasks",
    1,
    &[
        Field::new("task_id", Text, "SHA-256 of what makes the task, in lower hex"),
        Field::new("experiment_id", Text, "tier, stamp size, bands and grid"),
        Field::new("selection_set_id", Text, "which selection of regions"),
        Field::new("selection_strategy", Text, "how the regions were selected"),
        Field::new("ranking_mode", Text, "what the regions were ranked by"),
        Field::new("region_id", Int32, "the region"),
        Field::new("region_split", Text, "train, val or test"),
        Field::new("brickname", Text, "brick of the galaxy; the rows are sorted by it"),
        Field::new("ra", Float64, "right ascension of the galaxy").unit("deg"),
        Field::new("dec", Float64, "declination of the galaxy").unit("deg"),
        Field::new("zmag", Float32, "magnitude in z, as observed").unit("mag").null("flux not above 0"),
        Field::new("rmag", Float32, "magnitude in r, as observed").unit("mag").null("flux not above 0"),
        Field::new("w1mag", Float32, "magnitude in W1, as observed").unit("mag").null("flux not above 0"),
        Field::new("rz", Float32, "r - z").unit("mag").null("a flux not above 0"),
        Field::new("zw1", Float32, "z - W1").unit("mag").null("a flux not above 0"),
        Field::new("psfsize_r", Float64, "seeing of the brick in r").unit("arcsec"),
        Field::new("psfdepth_r", Float64, "depth of the brick in r").unit("mag"),
        Field::new("ebv", Float64, "reddening of the brick").unit("mag").null("not known"),
        Field::new("psf_bin", Int32, "quartile of the seeing, 0 to 3"),
        Field::new("depth_bin", Int32, "quartile of the depth, 0 to 3"),
        Field::new(
            "config_id",
            Text,
            "grid, number and values of the injection; CONTROL for unpaired controls",
        ),
        Field::new("theta_e_arcsec", Float64, "Einstein radius; 0 for controls").unit("arcsec"),
        Field::new("src_dmag", Float64, "magnitude of the source less that of the lens").unit("mag"),
        Field::new("src_reff_arcsec", Float64, "half-light radius of the source").unit("arcsec"),
        Field::new("src_e", Float64, "ellipticity of the source"),
        Field::new("shear", Float64, "external shear"),
        Field::new("stamp_size", Int32, "side of the cutout").unit("pixel"),
        Field::new("bandset", Text, "bands, r or grz"),
        Field::new("replicate", Int32, "which repetition, from 0"),
        Field::new("is_control", Int32, "1 where nothing is injected"),
        Field::new("task_seed64", Int64, "hash from which the random columns follow"),
        Field::new("src_x_arcsec", Float64, "source offset to the east").unit("arcsec"),
        Field::new("src_y_arcsec", Float64, "source offset to the north").unit("arcsec"),
        Field::new("src_phi_rad", Float64, "position angle of the source").unit("rad"),
        Field::new("shear_phi_rad", Float64, "position angle of the shear").unit("rad"),
        Field::new("src_gr", Float64, "g - r of the source").unit("mag"),
        Field::new("src_rz", Float64, "r - z of the source").unit("mag"),
        Field::new("lens_model", Text, "SIE, or CONTROL where the Einstein radius is 0"),
        Field::new("lens_e", Float64, "ellipticity of the lens"),
        Field::new("lens_phi_rad", Float64, "position angle of the lens").unit("rad"),
        Field::new("ab_zp_nmgy", Float64, "magnitude of one nanomaggy").unit("mag"),
        Field::new("pipeline_version", Text, "version of the published pipeline whose columns these are"),
    ],
);

/// Which bricks an experiment needs.
pub const BRICKS_MANIFEST: Schema<'static> = Schema::new(
    "bricks_manifest",
    1,
    &[
        Field::new("experiment_id", Text, "tier, stamp size, bands and grid"),
        Field::new("brickname", Text, "a brick that at least one task needs"),
    ],
);

/// The column that says whether a galaxy may be used.
pub(super) const fn flag(name: &str) -> Field<'_> {
    Field::new(name, Bool, "").null("")
}
