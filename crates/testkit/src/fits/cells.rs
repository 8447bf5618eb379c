//! Values into the rows and the heap of a table.

use super::{Column, size_of_element};

/// The cells of one row, put in the order of the columns.
#[derive(Debug)]
pub struct Cells<'a> {
    pub(super) columns: &'a [Column],
    pub(super) next: usize,
    pub(super) out: &'a mut Vec<u8>,
    pub(super) heap: &'a mut Vec<u8>,
}

impl<'a> Cells<'a> {
    /// Puts a value of the column's type: a number, `bool` (L), text (A, padded with blanks), a slice for a vector
    /// or for the heap; for C and M a slice of real and imaginary parts.
    #[inline]
    pub fn put(&mut self, value: impl Put) -> &mut Self {
        let column = self.column();
        value.put(column, self.out, self.heap);
        self
    }

    /// Puts the bytes of a field as stored: X, null logicals, text padded otherwise, descriptors.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let column = self.column();
        assert_eq!(bytes.len(), column.width, "bytes of TFORM {}", column.form);
        self.out.extend_from_slice(bytes);
        self
    }

    #[inline]
    fn column(&mut self) -> &'a Column {
        let column = self.columns.get(self.next).expect("more cells put than there are columns");
        self.next += 1;
        column
    }

    pub(super) fn finish(&self, row: usize) {
        assert_eq!(self.next, self.columns.len(), "cells put in row {row}");
    }
}

/// What [`Cells::put`] takes.
pub trait Put {
    /// Appends the stored form of the value to the row, or to the heap and its descriptor to the row.
    fn put(&self, column: &Column, row: &mut Vec<u8>, heap: &mut Vec<u8>);
}

macro_rules! put_numbers {
    ($($type:ty: $($code:literal)|+),+ $(,)?) => {$(
        impl Put for $type {
            #[inline]
            fn put(&self, column: &Column, row: &mut Vec<u8>, _: &mut Vec<u8>) {
                assert!(matches!(column.code, $($code)|+) && column.repeat == 1, "one value for TFORM {}", column.form);
                row.extend_from_slice(&self.to_be_bytes());
            }
        }

        impl Put for &[$type] {
            fn put(&self, column: &Column, row: &mut Vec<u8>, heap: &mut Vec<u8>) {
                let form = &column.form;
                assert!(matches!(column.element, $($code)|+), "values of another type for TFORM {form}");
                let bytes = size_of_val(*self);
                if column.code == column.element {
                    assert_eq!(bytes, column.width, "bytes of TFORM {form}");
                    row.extend(self.iter().flat_map(|v| v.to_be_bytes()));
                    return;
                }
                let element = size_of_element(column.element);
                assert_eq!(bytes % element, 0, "whole elements of TFORM {form}");
                describe(column, bytes / element, row, heap);
                heap.extend(self.iter().flat_map(|v| v.to_be_bytes()));
            }
        }

        impl<const N: usize> Put for [$type; N] {
            #[inline]
            fn put(&self, column: &Column, row: &mut Vec<u8>, heap: &mut Vec<u8>) {
                self.as_slice().put(column, row, heap);
            }
        }
    )+};
}

put_numbers! { u8: b'B', i16: b'I', i32: b'J', i64: b'K', f32: b'E' | b'C', f64: b'D' | b'M' }

impl Put for bool {
    fn put(&self, column: &Column, row: &mut Vec<u8>, _: &mut Vec<u8>) {
        assert!(column.code == b'L' && column.repeat == 1, "a logical for TFORM {}", column.form);
        row.push(if *self { b'T' } else { b'F' });
    }
}

impl Put for &[bool] {
    fn put(&self, column: &Column, row: &mut Vec<u8>, heap: &mut Vec<u8>) {
        assert_eq!(column.element, b'L', "logicals for TFORM {}", column.form);
        let stored = self.iter().map(|v| if *v { b'T' } else { b'F' });
        if column.code == b'L' {
            assert_eq!(self.len(), column.repeat, "values of TFORM {}", column.form);
            row.extend(stored);
        } else {
            describe(column, self.len(), row, heap);
            heap.extend(stored);
        }
    }
}

impl Put for &str {
    fn put(&self, column: &Column, row: &mut Vec<u8>, heap: &mut Vec<u8>) {
        assert_eq!(column.element, b'A', "text for TFORM {}", column.form);
        if column.code == b'A' {
            assert!(self.len() <= column.width, "{self:?} is too long for TFORM {}", column.form);
            row.extend_from_slice(self.as_bytes());
            row.resize(row.len() + column.width - self.len(), b' ');
        } else {
            describe(column, self.len(), row, heap);
            heap.extend_from_slice(self.as_bytes());
        }
    }
}

/// Appends the descriptor of elements that will stand at the end of the heap.
fn describe(column: &Column, elements: usize, row: &mut Vec<u8>, heap: &[u8]) {
    let pair = [elements as u64, heap.len() as u64];
    match column.code {
        b'P' => row.extend(pair.iter().flat_map(|v| u32::try_from(*v).expect("a P heap").to_be_bytes())),
        _ => row.extend(pair.iter().flat_map(|v| v.to_be_bytes())),
    }
}
