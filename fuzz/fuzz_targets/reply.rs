#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chat_fuzz::reply::reply_reads_back_as_it_was_written(
    bytes
));
