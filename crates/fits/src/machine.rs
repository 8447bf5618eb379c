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

/// Has the pages behind memory that is about to be filled for the first time made at once, which costs two thirds of
/// faulting them in one by one. Where the system cannot, it goes on as it was.
///
/// Large pages would be cheaper still, but where the page cache fills the memory the kernel first has to make room for
/// them, and that can cost more than the decoding.
#[allow(unsafe_code)]
pub(crate) fn populate<T>(memory: &mut [T]) {
    #[cfg(target_os = "linux")]
    {
        // At least the page of any Linux, so that both ends are whole pages.
        const PAGE: usize = 64 << 10;
        let range = memory.as_mut_ptr_range();
        let start = range.start.addr().next_multiple_of(PAGE);
        let end = range.end.addr() / PAGE * PAGE;
        if start < end {
            let first = range.start.cast::<libc::c_void>().with_addr(start);
            // SAFETY: the range lies in memory that is ours, and the advice does not change its content. That older
            // kernels refuse it does not matter.
            unsafe { libc::madvise(first, end - start, libc::MADV_POPULATE_WRITE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}
