//! Reading any bytes as an export of the history log, CSV or JSON.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| qaudjrn_fuzz::exports(input));
