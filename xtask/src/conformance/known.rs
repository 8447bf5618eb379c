//! What is known of the real files beside their oracles.

/// An image in which the other reader is wrong.
pub struct Known {
    pub file: &'static str,
    pub hdu: usize,
    /// The start of the digest of the right pixels.
    pub sha256: &'static str,
    pub why: &'static str,
}

pub const KNOWN: [Known; 1] = [Known {
    file: "fits-odd/ap_scale.fits",
    hdu: 0,
    // As CFITSIO computes them.
    sha256: "ca28585bd0e5234c",
    why: "scaled in single precision by the other reader; computed in double precision and rounded once here",
}];

/// Where nothing is to be read, by file, and what must be said.
pub const REFUSED: [(&str, &str); 2] =
    [("fits-odd/ap_verify.fits", "BITPIX is card 3"), ("fits-odd/nt_test.fits.Z", "compress(1)")];

/// Tables that the other reader cannot read, after the files that hold the same and are listed.
pub const PAIRS: [(&str, &str); 1] = [("fits-comp/nt_bt12.fits", "fits-comp/nt_bt12.fits.fz")];
