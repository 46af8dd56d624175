//! Finding heading and record length of any bytes, and cutting them into records.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| qaudjrn_fuzz::records(input));
