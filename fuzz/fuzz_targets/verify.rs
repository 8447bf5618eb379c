#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| coaddkit_fuzz::verify::run(bytes));
