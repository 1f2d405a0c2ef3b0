#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| drp_fuzz::manifest::text(data));
