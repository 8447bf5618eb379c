//! The calls of CFITSIO, each behind a safe function.
//!
//! What all of them rely on: a [`Handle`] holds a pointer that CFITSIO gave and that nobody else has, until `drop`
//! hands it back; it is used through `&mut` only; and buffers have room for what the call is told to write.
#![allow(unsafe_code)]

use crate::error::ErrorKind;
use cfitsio_sys as sys;
use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::ops::Range;
use std::path::Path;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of a message, a card, a status text with their final NUL.
const TEXT: usize = 81;

/// A call that failed.
#[derive(Debug)]
pub(super) struct Failure {
    status: i32,
    message: String,
}

impl From<Failure> for ErrorKind {
    fn from(Failure { status, message }: Failure) -> Self {
        Self::Cfitsio { status, message }
    }
}

/// What CFITSIO reads numbers as.
pub(super) trait Number: Copy + Default {
    /// The code of the type.
    const CODE: u32;

    /// What stands for null.
    fn null() -> Self;
}

macro_rules! numbers {
    ($($type:ty: $code:ident, $null:expr;)*) => {$(
        impl Number for $type {
            const CODE: u32 = sys::$code;

            fn null() -> Self {
                $null
            }
        }
    )*};
}

// Integers are asked for only where nothing is null.
numbers! {
    u8: TBYTE, 0;
    i8: TSBYTE, 0;
    i16: TSHORT, 0;
    u16: TUSHORT, 0;
    i32: TINT, 0;
    u32: TUINT, 0;
    i64: TLONGLONG, 0;
    u64: TULONGLONG, 0;
    f32: TFLOAT, Self::NAN;
    f64: TDOUBLE, Self::NAN;
    [f32; 2]: TCOMPLEX, [f32::NAN; 2];
    [f64; 2]: TDBLCOMPLEX, [f64::NAN; 2];
}

/// An open file.
pub(super) struct Handle {
    fits: *mut sys::fitsfile,
}

// SAFETY: CFITSIO ties an open file to no thread; two of them must not use it at a time, which `&mut` sees to. Files
// are opened for reading, so CFITSIO shares nothing between two handles of the same file.
unsafe impl Send for Handle {}

/// Held during a call where CFITSIO was not built to be re-entrant: then its buffers are shared by all files.
fn turn() -> Option<MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::new(());
    // SAFETY: It takes nothing and returns a constant of the build.
    let reentrant = unsafe { sys::fits_is_reentrant() } != 0;
    (!reentrant).then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Makes a call that says whether anything was null, which CFITSIO does not do without even where it offers to.
fn reading(work: impl FnOnce(&mut c_int, &mut c_int)) -> Result<(), Failure> {
    let mut any_null = 0;
    call(|status| work(&mut any_null, status))
}

/// Makes a call that takes a status.
fn call(work: impl FnOnce(&mut c_int)) -> Result<(), Failure> {
    let _turn = turn();
    let mut status = 0;
    work(&mut status);
    if status <= 0 { Ok(()) } else { Err(failure(status)) }
}

/// The text of a status, and what CFITSIO has put on its stack of messages since.
fn failure(status: c_int) -> Failure {
    let mut text = [0; TEXT];
    // SAFETY: It writes at most 30 characters and a NUL.
    unsafe { sys::ffgerr(status, text.as_mut_ptr()) };
    let mut message = string(&text);
    for n in 0..10 {
        let mut text = [0; TEXT];
        // SAFETY: It writes at most 80 characters and a NUL.
        if unsafe { sys::ffgmsg(text.as_mut_ptr()) } == 0 {
            break;
        }
        message.push_str(if n == 0 { ": " } else { "; " });
        message.push_str(string(&text).trim());
    }
    Failure { status, message }
}

fn string(text: &[c_char; TEXT]) -> String {
    let bytes = text.map(|c| c as u8);
    CStr::from_bytes_until_nul(&bytes).map(|c| c.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Rows, columns and elements count from 1.
fn nth(n: impl TryInto<i64>) -> i64 {
    n.try_into().unwrap_or(i64::MAX).saturating_add(1)
}

fn column_number(index: usize) -> c_int {
    c_int::try_from(nth(index)).unwrap_or(c_int::MAX)
}

impl Handle {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let name = CString::new(path.as_os_str().as_encoded_bytes());
        let name =
            name.map_err(|e| Failure { status: sys::FILE_NOT_OPENED as i32, message: e.to_string() })?;
        let mut fits = ptr::null_mut();
        // SAFETY: The name ends in a NUL, and the pointer is written before it is used.
        call(|status| unsafe { _ = sys::ffdkopn(&mut fits, name.as_ptr(), sys::READONLY as c_int, status) })?;
        Ok(Self { fits })
    }

    /// Moves to an HDU, from 0.
    pub(super) fn select(&mut self, hdu: usize) -> Result<(), Failure> {
        // SAFETY: The handle is open; no type is asked for.
        call(|status| unsafe { _ = sys::ffmahd(self.fits, column_number(hdu), ptr::null_mut(), status) })
    }

    /// Number of HDUs.
    pub(super) fn hdus(&mut self) -> Result<usize, Failure> {
        let mut count = 0;
        // SAFETY: The handle is open.
        call(|status| unsafe { _ = sys::ffthdu(self.fits, &mut count, status) })?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// All cards but END, 80 bytes each.
    pub(super) fn cards(&mut self) -> Result<Vec<u8>, Failure> {
        let mut count = 0;
        // SAFETY: The handle is open; room for more cards is not asked for.
        call(|status| unsafe { _ = sys::ffghsp(self.fits, &mut count, ptr::null_mut(), status) })?;
        let mut cards = Vec::new();
        for n in 1..=count {
            let mut card = [0; TEXT];
            // SAFETY: A card has at most 80 characters and a NUL.
            call(|status| unsafe { _ = sys::ffgrec(self.fits, n, card.as_mut_ptr(), status) })?;
            let start = cards.len();
            cards.extend(card.iter().take_while(|&&c| c != 0).map(|&c| c as u8));
            cards.resize(start + 80, b' ');
        }
        Ok(cards)
    }

    /// Lengths of the axes, slowest first.
    pub(super) fn image_shape(&mut self) -> Result<Vec<u64>, Failure> {
        let mut axes = 0;
        // SAFETY: The handle is open.
        call(|status| unsafe { _ = sys::ffgidm(self.fits, &mut axes, status) })?;
        let mut lengths = vec![0; usize::try_from(axes).unwrap_or(0)];
        // SAFETY: There is room for as many lengths as it is told.
        call(|status| unsafe { _ = sys::ffgiszll(self.fits, axes, lengths.as_mut_ptr(), status) })?;
        Ok(lengths.iter().rev().map(|&n| u64::try_from(n).unwrap_or(0)).collect())
    }

    /// The pixels of a box, slowest axis first, which has just the room of `out`.
    pub(super) fn section<T: Number>(
        &mut self,
        ranges: &[Range<u64>],
        null: Option<T>,
        out: &mut [T],
    ) -> Result<(), Failure> {
        let long = |n: u64| c_long::try_from(n).unwrap_or(c_long::MAX);
        let mut first: Vec<c_long> = ranges.iter().rev().map(|r| long(r.start).saturating_add(1)).collect();
        let mut last: Vec<c_long> = ranges.iter().rev().map(|r| long(r.end)).collect();
        let mut step = vec![1; ranges.len()];
        let volume = ranges.iter().try_fold(1_u64, |all, r| all.checked_mul(r.end.checked_sub(r.start)?));
        assert_eq!(volume, Some(out.len() as u64), "the box and the room for it differ");
        let null = null_pointer(&null);
        // SAFETY: The three lists have the length of the axes, as the caller has checked; the box has as many pixels as
        // there is room for, of the type that the code names.
        reading(|any, status| unsafe {
            let (first, last, step) = (first.as_mut_ptr(), last.as_mut_ptr(), step.as_mut_ptr());
            let out = out.as_mut_ptr().cast();
            sys::ffgsv(self.fits, T::CODE as c_int, first, last, step, null, out, any, status);
        })
    }

    /// Elements of a column from the start of a row on.
    pub(super) fn numbers<T: Number>(
        &mut self,
        column: usize,
        row: u64,
        null: Option<T>,
        out: &mut [T],
    ) -> Result<(), Failure> {
        let (column, count, null) = (column_number(column), out.len() as i64, null_pointer(&null));
        // SAFETY: There is room for `count` elements of the type that the code names.
        reading(|any, status| unsafe {
            let (code, out) = (T::CODE as c_int, out.as_mut_ptr().cast());
            sys::ffgcv(self.fits, code, column, nth(row), 1, count, null, out, any, status);
        })
    }

    /// Elements of the variable-length array of a row.
    pub(super) fn descriptor(&mut self, column: usize, row: u64) -> Result<u64, Failure> {
        let (mut count, mut start) = (0, 0);
        // SAFETY: The handle is open.
        call(|status| unsafe {
            sys::ffgdesll(self.fits, column_number(column), nth(row), &mut count, &mut start, status);
        })?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Fields of `width` characters, or one byte each where there are none; blanks after what CFITSIO gives.
    pub(super) fn text(
        &mut self,
        column: usize,
        row: u64,
        rows: u64,
        width: u64,
    ) -> Result<Vec<u8>, Failure> {
        let mut out = vec![b' '; (rows * width.max(1)) as usize];
        if width == 0 {
            return Ok(out);
        }
        let (mut code, mut repeat, mut length) = (0, 0, 0);
        // SAFETY: The handle is open.
        call(|status| unsafe {
            let column = column_number(column);
            sys::ffgtclll(self.fits, column, &mut code, &mut repeat, &mut length, status);
        })?;
        // By TDIM a field may hold several strings; a variable-length array is one.
        let length = u64::try_from(length).ok().filter(|&n| code > 0 && n > 0 && n <= width).unwrap_or(width);
        let strings = width / length;
        let mut buffers = vec![vec![0_u8; length as usize + 1]; (rows * strings) as usize];
        let mut pointers: Vec<*mut c_char> = buffers.iter_mut().map(|b| b.as_mut_ptr().cast()).collect();
        let mut empty: [c_char; 1] = [0];
        // SAFETY: There are as many buffers as strings are asked for, and each has room for the length of a string and
        // a NUL. The text for null is empty.
        reading(|any, status| unsafe {
            let (column, count) = (column_number(column), pointers.len() as i64);
            let (out, null) = (pointers.as_mut_ptr().cast(), empty.as_mut_ptr().cast());
            let code = sys::TSTRING as c_int;
            sys::ffgcv(self.fits, code, column, nth(row), 1, count, null, out, any, status);
        })?;
        for (n, buffer) in buffers.iter().enumerate() {
            let end = buffer.iter().position(|&b| b == 0).unwrap_or(0);
            let (row, part) = (n as u64 / strings, n as u64 % strings);
            let start = (row * width + part * length) as usize;
            out[start..start + end].copy_from_slice(&buffer[..end]);
        }
        Ok(out)
    }

    /// Fields of `count` logicals: `T`, `F` or 0 for null; one byte each where there are none.
    pub(super) fn logicals(
        &mut self,
        column: usize,
        row: u64,
        rows: u64,
        count: u64,
    ) -> Result<Vec<u8>, Failure> {
        let mut out = vec![0_u8; (rows * count.max(1)) as usize];
        if count == 0 {
            return Ok(out);
        }
        let mut nulls: Vec<c_char> = vec![0; out.len()];
        // SAFETY: There is room for as many bytes and flags as elements are asked for.
        reading(|any, status| unsafe {
            let (column, code, count) = (column_number(column), sys::TLOGICAL as c_int, out.len() as i64);
            let (values, flags) = (out.as_mut_ptr().cast(), nulls.as_mut_ptr());
            sys::ffgcf(self.fits, code, column, nth(row), 1, count, values, flags, any, status);
        })?;
        for (value, null) in out.iter_mut().zip(nulls) {
            *value = match (*value, null) {
                (1, 0) => b'T',
                (0, 0) => b'F',
                _ => 0,
            };
        }
        Ok(out)
    }

    /// Fields of `count` bits, most significant first; one byte each where there are none.
    pub(super) fn bits(
        &mut self,
        column: usize,
        row: u64,
        rows: u64,
        count: u64,
    ) -> Result<Vec<u8>, Failure> {
        let width = count.div_ceil(8).max(1) as usize;
        let mut out = vec![0_u8; rows as usize * width];
        let mut flags: Vec<c_char> = vec![0; count as usize];
        for (row, field) in (row..).zip(out.chunks_exact_mut(width)) {
            if count == 0 {
                break;
            }
            // SAFETY: There is room for as many flags as bits are asked for.
            call(|status| unsafe {
                let (column, flags) = (column_number(column), flags.as_mut_ptr());
                sys::ffgcx(self.fits, column, nth(row), 1, count as i64, flags, status);
            })?;
            for (n, &flag) in flags.iter().enumerate() {
                field[n / 8] |= u8::from(flag != 0) << (7 - n % 8);
            }
        }
        Ok(out)
    }

    /// A text keyword of this HDU, where there is one.
    pub(super) fn keyword(&mut self, name: &CStr) -> Option<String> {
        let mut text = [0; TEXT];
        // SAFETY: A value has at most 70 characters and a NUL; no comment is asked for.
        let found = call(|status| unsafe {
            sys::ffgkys(self.fits, name.as_ptr(), text.as_mut_ptr(), ptr::null_mut(), status);
        });
        found.ok().map(|()| string(&text))
    }

    /// A file in memory that has an empty primary HDU.
    fn memory() -> Result<Self, Failure> {
        let mut fits = ptr::null_mut();
        // SAFETY: The name ends in a NUL, and the pointer is written before it is used.
        call(|status| unsafe { _ = sys::ffinit(&mut fits, c"mem://".as_ptr(), status) })?;
        let memory = Self { fits };
        // SAFETY: It is open; an image without axes needs no lengths.
        call(|status| unsafe { _ = sys::ffcrim(memory.fits, 8, 0, ptr::null_mut(), status) })?;
        Ok(memory)
    }

    /// The compressed table of this HDU as HDU 1 of a file in memory.
    pub(super) fn uncompressed_table(&mut self) -> Result<Self, Failure> {
        let memory = Self::memory()?;
        // SAFETY: Both are open.
        call(|status| unsafe { _ = sys::fits_uncompress_table(self.fits, memory.fits, status) })?;
        Ok(memory)
    }

    /// This HDU as it is, as HDU 1 of a file in memory.
    pub(super) fn copied(&mut self) -> Result<Self, Failure> {
        let mut memory = Self::memory()?;
        // SAFETY: Both are open; no room for more keywords is asked for.
        call(|status| unsafe { _ = sys::ffcopy(self.fits, memory.fits, 0, status) })?;
        // On the way back its header is read as that of any file.
        memory.select(0)?;
        Ok(memory)
    }
}

fn null_pointer<T>(null: &Option<T>) -> *mut c_void {
    // CFITSIO reads it and does not write.
    null.as_ref().map_or(ptr::null_mut(), |null| ptr::from_ref(null).cast_mut().cast())
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: It is open and nobody has it any more. What goes wrong in closing a file that was only read is of no
        // consequence.
        _ = call(|status| unsafe { _ = sys::ffclos(self.fits, status) });
    }
}
