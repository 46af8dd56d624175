//! `filter`: the verdict on any record under rules of every kind.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| qaudjrn_fuzz::filter(input));
