//! `decode` of any record: JSON and the text for people.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| qaudjrn_fuzz::decode(input));
