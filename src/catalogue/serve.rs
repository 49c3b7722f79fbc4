//! Why `chat-server serve` does not start, and what the other commands about its settings say. What
//! it says while it runs is its log, which has one language.

texts! {
    empty_variable(name) {
        en: "{name} is set and empty",
        id: "{name} ada tetapi kosong",
    }
    unset_variable {
        en: "give it a value, or unset it",
        id: "beri nilai, atau hapus variabelnya",
    }
    listens_nowhere {
        en: "there is no address to listen on",
        id: "tidak ada alamat untuk didengarkan",
    }
    give_listen {
        en: "name one, or leave listen out: it is then 127.0.0.1:8889",
        id: "sebutkan satu, atau hapus listen: alamatnya lalu 127.0.0.1:8889",
    }
    no_signals(error) {
        en: "cannot handle signals: {error}",
        id: "sinyal tidak bisa ditangani: {error}",
    }
    cannot_start(error) { en: "cannot start: {error}", id: "tidak bisa mulai: {error}" }
    raise_limit(needed) {
        en: "raise the limit (ulimit -Hn {needed})",
        id: "naikkan batasnya (ulimit -Hn {needed})",
    }
    too_few_descriptors(connections, needed) {
        en: "{connections} connections need {needed} file descriptors, and the system does not allow so many",
        id: "{connections} koneksi membutuhkan {needed} file descriptor, dan sistem tidak mengizinkan sebanyak itu",
    }
    fewer_connections_or(most, raise) {
        en: "give --connections-max {most}, or {raise}",
        id: "beri --connections-max {most}, atau {raise}",
    }
    unencrypted(address) {
        en: "{address} can be reached from other machines, and passwords and messages would travel unencrypted",
        id: "{address} bisa dicapai dari mesin lain, dan password serta pesan akan dikirim tanpa enkripsi",
    }
    allow_plaintext(address) {
        en: "listen on 127.0.0.1, or on tls:{address} with --tls-cert and --tls-key; or give --allow-plaintext where the network is trusted",
        id: "dengarkan di 127.0.0.1, atau di tls:{address} dengan --tls-cert dan --tls-key; atau beri --allow-plaintext jika jaringannya tepercaya",
    }
    no_certificate(address) {
        en: "there is no certificate for tls:{address}",
        id: "tidak ada sertifikat untuk tls:{address}",
    }
    no_origin(given) {
        en: "{given} is no site: give each by name, as https://a.example or http://a.example:3000",
        id: "{given} bukan situs: beri namanya satu per satu, misalnya https://a.example atau http://a.example:3000",
    }
    half_a_certificate {
        en: "a certificate and its key go together, and one of them is not set",
        id: "sertifikat dan kuncinya harus lengkap, dan salah satunya tidak diisi",
    }
    give_certificate {
        en: "give --tls-cert FILE and --tls-key FILE; docs/tls.md explains how to make them",
        id: "beri --tls-cert FILE dan --tls-key FILE; docs/tls.md menjelaskan cara membuatnya",
    }
    unused_certificate(path) {
        en: "no listener would use the certificate {path}",
        id: "sertifikat {path} tidak dipakai oleh alamat mana pun",
    }
    say_where_tls {
        en: "add a TLS address, as in --listen tls:0.0.0.0:8890 or --http tls:0.0.0.0:8443",
        id: "tambahkan alamat TLS, seperti --listen tls:0.0.0.0:8890 atau --http tls:0.0.0.0:8443",
    }
    give_pem_files {
        en: "--tls-cert and --tls-key take the paths of PEM files",
        id: "--tls-cert dan --tls-key diisi path file PEM",
    }
    let_server_read {
        en: "the user that the server runs as has to be able to read it",
        id: "user yang menjalankan server harus bisa membacanya",
    }
    give_its_key {
        en: "give the key that the certificate was made for",
        id: "beri kunci yang dipakai saat sertifikat itu dibuat",
    }
    how_to_make_certificate {
        en: "docs/tls.md explains how to make a certificate",
        id: "docs/tls.md menjelaskan cara membuat sertifikat",
    }
    give_socket_path {
        en: "give unix:PATH, as in unix:/run/chat.sock",
        id: "tulis unix:PATH, seperti unix:/run/chat.sock",
    }
    no_mode(given) {
        en: "{given} is no mode: give three digits from 0 to 7, as in 660",
        id: "{given} bukan mode: beri tiga angka dari 0 sampai 7, seperti 660",
    }
    no_unix_user(given) {
        en: "{given} maps no system user: give SYSTEM-USER=USER, as in alice=ada or \"uid 1001=ci\"",
        id: "{given} tidak memetakan user sistem: beri USER-SISTEM=USER, seperti alice=ada atau \"uid 1001=ci\"",
    }
    no_uid(given) {
        en: "{given} has no number of a system user: give it as in \"uid 1001\"",
        id: "{given} tidak berisi nomor user sistem: tulis seperti \"uid 1001\"",
    }
    no_socket_for_system_users(option) {
        en: "{option} logs in system users over a Unix-domain socket, and the server listens on none",
        id: "{option} memasukkan user sistem lewat soket Unix-domain, padahal server tidak mendengarkan di satu pun",
    }
    listen_on_socket {
        en: "add --listen unix:/run/chat/chat.sock",
        id: "tambahkan --listen unix:/run/chat/chat.sock",
    }
    live_socket {
        en: "another server listens there; give another path",
        id: "server lain sudah mendengarkan di sana; beri path lain",
    }
    no_socket_there {
        en: "move it away, or give another path",
        id: "pindahkan, atau beri path lain",
    }
    make_folder_first { en: "make its folder first", id: "buat foldernya dulu" }
    give_writable_folder {
        en: "give a path in a folder that the server may write to",
        id: "beri path dalam folder yang boleh ditulisi server",
    }
    metrics_exposed(address) {
        en: "{address} can be reached from other machines, and they could read the metrics",
        id: "{address} bisa dicapai dari mesin lain, dan mesin itu bisa membaca metriknya",
    }
    allow_remote_metrics {
        en: "give --metrics 127.0.0.1:9464, or --allow-remote-metrics where the network is trusted",
        id: "beri --metrics 127.0.0.1:9464, atau --allow-remote-metrics jika jaringannya tepercaya",
    }
    no_http_there {
        en: "give ADDR:PORT or tls:ADDR:PORT",
        id: "beri ALAMAT:PORT atau tls:ALAMAT:PORT",
    }
    no_http(option) {
        en: "{option} needs HTTP, and this program was built without it",
        id: "{option} membutuhkan HTTP, dan program ini dibuat tanpa HTTP",
    }
    build_http_in {
        en: "build it with its default features",
        id: "buat dengan fitur bawaannya",
    }
    passwords_known(address, names) {
        en: "{address} can be reached from other machines, and the password of {names} is public",
        id: "{address} bisa dicapai dari mesin lain, dan password {names} diketahui umum",
    }
    allow_default_passwords {
        en: "begin with --no-seed and users of your own, or give --allow-default-passwords",
        id: "mulailah dengan --no-seed dan user sendiri, atau beri --allow-default-passwords",
    }
    passed_socket(number, error) {
        en: "the socket {number} that was passed on: {error}",
        id: "soket {number} yang diteruskan: {error}",
    }
    pass_sockets {
        en: "pass on TCP sockets that listen (ListenStream=ADDR:PORT)",
        id: "teruskan soket TCP yang mendengarkan (ListenStream=ADDR:PORT)",
    }
    listening_on(addresses) {
        en: "listening on {addresses}",
        id: "mendengarkan di {addresses}",
    }
    cannot_listen(address, error) {
        en: "cannot listen on {address}: {error}",
        id: "tidak bisa mendengarkan di {address}: {error}",
    }
    listen_elsewhere(option) {
        en: "another program listens there; give another {option}",
        id: "program lain sudah mendengarkan di sana; beri {option} lain",
    }
    low_port(option) {
        en: "ports below 1024 are the system's; give another {option}",
        id: "port di bawah 1024 milik sistem; beri {option} lain",
    }
    give_own_address(option) {
        en: "give an address of this machine with {option}",
        id: "beri alamat mesin ini dengan {option}",
    }
    ready_file_not_written(path, error) {
        en: "cannot write the ready file {path}: {error}",
        id: "ready file {path} tidak bisa ditulis: {error}",
    }

    // config
    example_header {
        en: "\
# The configuration of chat-server: the file of --config or CHAT_SERVER_CONFIG, else
# /etc/chat/server.toml. Environment variables override it, and options of the command line
# override both. Settings that are commented out show the default.
#
#   chat-server config check FILE     check it before use
#   chat-server config show           every setting and its source
",
        id: "\
# Konfigurasi chat-server. Dibaca dari tempat yang disebut --config atau CHAT_SERVER_CONFIG, jika
# tidak ada dari /etc/chat/server.toml. Variabel environment didahulukan daripadanya, dan opsi
# baris perintah didahulukan dari keduanya. Yang dikomentari menunjukkan nilai bawaan.
#
#   chat-server config check FILE     sebelum dipakai
#   chat-server config show           semua pengaturan, dan asalnya
",
    }
    example_not_set { en: "# Not set.", id: "# Tidak diisi." }
    configuration_valid(file) {
        en: "{file}: the configuration is valid",
        id: "{file}: konfigurasinya benar",
    }
    no_file_but_valid {
        en: "there is no configuration file; the other settings are valid",
        id: "tidak ada file konfigurasi; pengaturan lainnya benar",
    }
    is_a_folder(key, path) { en: "{key}: {path} is a folder", id: "{key}: {path} adalah folder" }
    no_such_folder(key, path) {
        en: "{key}: there is no folder {path}",
        id: "{key}: tidak ada folder {path}",
    }
    no_configuration_file {
        en: "there is no such configuration file",
        id: "file konfigurasi itu tidak ada",
    }
    example_to_begin_with {
        en: "`chat-server config example` prints one to begin with",
        id: "`chat-server config example` mencetak satu untuk memulai",
    }
    no_table(name) { en: "{name} is no table", id: "{name} bukan tabel" }
    setting_is(key, help) { en: "{key} is: {help}", id: "{key} adalah: {help}" }
    cannot_be_empty { en: "it cannot be empty", id: "tidak boleh kosong" }
}
