//! What the machine at hand can do beyond what the build may take for granted. The only unsafe code of the crate.

/// A piece of work that is compiled twice: for every processor of the architecture, and for those with AVX2 and BMI2.
///
/// A build for any x86-64 counts leading zeros and shifts by a variable amount in several instructions each, and
/// converts two floats at a time. With the instructions that servers have had since 2015, Rice decoding takes two
/// thirds of the time and dequantising half of it. The results are the same bits: the compiler neither reorders nor
/// fuses floating-point operations.
pub(crate) trait Kernel {
    type Output;
    /// Must be `#[inline(always)]`, and so must all that it calls in its loops.
    fn run(self) -> Self::Output;
}

/// Runs the copy that suits this processor.
#[inline]
#[allow(unsafe_code)]
pub(crate) fn run<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
    {
        // SAFETY: the processor has the features that the function is compiled for.
        return unsafe { with_avx2_and_bmi2(kernel) };
    }
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi2,lzcnt")]
fn with_avx2_and_bmi2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

/// Asks for large pages behind memory that will be filled: the first touch of each page of 4 KiB costs more than
/// decoding the pixels of it does. NumPy does the same. A system that cannot goes on as it was.
#[allow(unsafe_code)]
pub(crate) fn large_pages<T>(memory: &mut [T]) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 2 << 20;
        let range = memory.as_mut_ptr_range();
        let start = range.start.addr().next_multiple_of(PAGE);
        let end = range.end.addr() / PAGE * PAGE;
        if start < end {
            let first = range.start.cast::<libc::c_void>().with_addr(start);
            // SAFETY: the range lies in memory that is ours; the advice changes neither its content nor who may use it.
            unsafe { libc::madvise(first, end - start, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}
