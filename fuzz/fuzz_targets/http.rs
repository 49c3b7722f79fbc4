#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chat_fuzz::http::head_means_the_same_in_any_pieces(
    bytes
));
