#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    chat_fuzz::files::known_servers_read_back_as_they_were_written(bytes)
});
