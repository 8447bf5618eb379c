//! Pixels of spectra, real and made, against astropy and pyarrow, and pixels that are not whole.

mod broken;
mod oracle;
