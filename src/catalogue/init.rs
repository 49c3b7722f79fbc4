//! What `chat-server init` asks, writes down and says.

texts! {
    // Questions
    where_to_write { en: "Configuration file?", id: "File konfigurasi?" }
    where_to_store { en: "Database file?", id: "File database?" }
    who_is_first { en: "Name of the first user?", id: "Nama user pertama?" }
    where_to_listen {
        en: "Address to listen on (127.0.0.1: this machine only)?",
        id: "Alamat yang didengarkan (127.0.0.1: mesin ini saja)?",
    }
    which_certificate {
        en: "Certificate file for TLS (PEM; empty: no TLS)?",
        id: "File sertifikat untuk TLS (PEM; kosong: tanpa TLS)?",
    }
    which_key { en: "Key file of the certificate (PEM)?", id: "File kunci sertifikat itu (PEM)?" }
    travel_unencrypted(address) {
        en: "Others reach {address}, and their passwords and messages would travel unencrypted. Allow that?",
        id: "Orang lain bisa mencapai {address}, dan password serta pesan mereka akan dikirim tanpa enkripsi. Izinkan?",
    }

    // What is missing or in the way
    user_missing {
        en: "the name of the first user is missing, and there is no terminal to ask at",
        id: "nama user pertama tidak diberikan, dan tidak ada terminal untuk bertanya",
    }
    give_user { en: "give --user NAME", id: "beri --user NAMA" }
    password_missing(name) {
        en: "the password of {name} is missing, and there is no terminal to ask at",
        id: "password {name} tidak diberikan, dan tidak ada terminal untuk bertanya",
    }
    give_password {
        en: "give it as the first line of standard input or with --password-file FILE, or give --generate",
        id: "berikan sebagai baris pertama standard input atau dengan --password-file FILE, atau beri --generate",
    }
    edit_or_replace {
        en: "edit it, give another --config, or replace it with --force",
        id: "ubah isinya, beri --config lain, atau ganti dengan --force",
    }
    add_user_instead {
        en: "give another --db; `chat-server user add` adds a user to this one",
        id: "beri --db lain; `chat-server user add` menambah user ke yang ini",
    }

    // The file
    header {
        en: "\
# The configuration of chat-server, written by `chat-server init`. `chat-server config example` explains
# every setting; `chat-server config check FILE` finds what is wrong with this one.
",
        id: "\
# Konfigurasi chat-server, ditulis oleh `chat-server init`. `chat-server config example` menjelaskan
# semua pengaturan; `chat-server config check FILE` mencari yang salah di file ini.
",
    }

    // What was done
    user_added_with_password(name, password) {
        en: "{name} is added, with the password {password}",
        id: "{name} ditambahkan, dengan password {password}",
    }
    start_the_server(config) {
        en: "start the server:  chat-server --config {config}",
        id: "jalankan server:   chat-server --config {config}",
    }
    log_in(name) {
        en: "then log in:       chat-cli auth {name}",
        id: "lalu login:        chat-cli auth {name}",
    }
    log_in_at(place, name) {
        en: "then log in:       chat-cli --server {place} auth {name}",
        id: "lalu login:        chat-cli --server {place} auth {name}",
    }
    add_users(config) {
        en: "add other users:   chat-server --config {config} user add NAME",
        id: "tambah user lain:  chat-server --config {config} user add NAMA",
    }
}
